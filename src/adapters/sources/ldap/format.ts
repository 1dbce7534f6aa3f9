import { createReadStream } from 'node:fs';
import { counted } from '../../../domain/counted.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import { compareFacts } from '../../../domain/facts.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { ItemFormat } from '../../../ports/source.ts';
import { type Scanned, scanLdif } from './ldif-scanner.ts';

/** An item is an LDIF, which `slapadd` takes. */
export const format: ItemFormat = {
  kind: 'ldap',
  tree: false,
  async inspect(bytes, recorded, _workspace, signal) {
    const scanned = await read(bytes, signal);
    if ('malformed' in scanned) return [{ name: 'ldif', outcome: 'failed', detail: scanned.malformed }];
    const differences = compareFacts(recorded, scanned).map(
      ({ fact, expected, actual }) => `${fact}: ${expected ?? 'none'} expected, ${actual ?? 'none'} found`,
    );
    const outcome = differences.length > 0 ? 'failed' : 'passed';
    const detail = differences.join('; ') || counted(scanned.entries, 'entry', 'entries');
    return [
      { name: 'ldif', outcome: 'passed', detail: 'read to its end' },
      { name: 'facts', outcome, detail },
    ];
  },
  async facts(path, _roots, signal) {
    const scanned = await read(createReadStream(path, { highWaterMark: 1024 ** 2 }), signal);
    if ('malformed' in scanned)
      throw new HoldfastError('Damaged', `${path} is no whole LDIF: ${scanned.malformed}.`, path);
    return scanned;
  },
};

async function read(bytes: Bytes, signal: AbortSignal): Promise<Scanned> {
  const scan = scanLdif();
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    scan.take(chunk);
  }
  return scan.end();
}
