import type { Bytes } from '../../../ports/bytes.ts';
import type { ScratchAccount, ScratchPlace } from '../../../ports/scratch.ts';
import { askServer, type Client } from './client.ts';
import { literal } from './words.ts';

const TABLESPACE = /^CREATE TABLESPACE ("(?:[^"]|"")*"|[^\s";]+) /;

interface Parts {
  readonly client: Client;
  readonly place: ScratchPlace;
  readonly account: ScratchAccount | null;
}

/** Makes the tablespaces of pg_dumpall's script, in folders of the scratch place: those that it names are the live
 *  server's. */
export async function makeTablespaces(
  bytes: Bytes,
  { client, place, account }: Parts,
  signal: AbortSignal,
): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(Uint8Array.from(chunk));
  const names = Buffer.concat(chunks)
    .toString('utf8')
    .split('\n')
    .flatMap((line) => TABLESPACE.exec(line)?.[1] ?? []);
  for (const [index, name] of names.entries()) {
    const folder = `${place.folder}/tablespace-${index}`;
    await place.host.run(place.as(account, { program: 'mkdir', args: ['--mode=0700', '--', folder] }), { signal });
    await askServer(client, [], `create tablespace ${name} location ${literal(folder)}`, signal);
  }
}
