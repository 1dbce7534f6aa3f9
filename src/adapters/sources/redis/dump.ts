import { HoldfastError } from '../../../domain/errors.ts';
import { type Bytes, giveBack } from '../../../ports/bytes.ts';
import { isBulk } from '../../../ports/host.ts';
import type { Captured } from '../../../ports/source.ts';
import { unlessSilent } from '../server/silence.ts';
import type { Client, Seen } from './client.ts';
import { findRdbEnd } from './rdb-end.ts';
import { scanRdb } from './rdb-scanner.ts';

/** The RDB that the server sends to a replica, and the keys that are counted in the very bytes.
 *  @throws SourceMissing, SourceFailed when redis-cli or the server failed, however much was given */
export async function* dumpServer(
  source: string,
  client: Client,
  { bytes }: Seen,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, Captured> {
  const [end, scan] = [findRdbEnd(), scanRdb()];
  try {
    const bulk = isBulk(bytes);
    const read = (until: AbortSignal): Bytes => client.host.read([client.replicate], { signal: until, bulk });
    for await (const chunk of unlessSilent(read, source, signal)) {
      const certain = end.take(chunk); // a copy
      giveBack(chunk);
      scan.take(certain);
      if (certain.length > 0) yield certain;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw client.explain(error);
  }
  const rest = end.end();
  if (rest === null) throw notWhole(source, 'its end is missing, or its checksum is not that of its bytes');
  scan.take(rest);
  const scanned = scan.end();
  if ('malformed' in scanned) throw notWhole(source, scanned.malformed);
  yield rest;
  if ('facts' in scanned) return { facts: scanned.facts, warnings: [], unreadable: [] };
  const warning = `the keys are not counted: there is ${scanned.unknown}, which this version does not know`;
  return { facts: {}, warnings: [warning], unreadable: [] };
}

const notWhole = (source: string, why: string): HoldfastError =>
  new HoldfastError('SourceFailed', `What the server of ${source} sent is no whole RDB: ${why}.`, source, {
    hint: "The last good point stays. Look at the server's log",
  });
