import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { ScratchAccount, ScratchPlace } from '../../../ports/scratch.ts';

/** Makes the folder of the drill the account's own; nothing where the account is the caller's. */
export async function giveFolder(
  account: ScratchAccount | null,
  { host, folder }: ScratchPlace,
  signal: AbortSignal,
): Promise<void> {
  if (account === null) return;
  await host.run({ program: 'chown', args: ['--', `${account.uid}:${account.gid}`, folder] }, { signal });
}

/** A file of the drill that belongs to the account.
 *  @param item whose bytes these are, for people
 *  @throws Damaged unless they were taken to their end, where their hash is compared */
export async function writeScratchFile(
  { path, item, bytes }: { readonly path: string; readonly item: string; readonly bytes: Bytes },
  account: ScratchAccount | null,
  { host, as }: ScratchPlace,
  signal: AbortSignal,
): Promise<void> {
  const write = { program: 'dd', args: [`of=${path}`, 'bs=1M', 'status=none'] };
  let ended = false;
  async function* whole(): Bytes {
    yield* bytes;
    ended = true;
  }
  await host.feed([as(account, write)], { signal, input: whole() });
  if (!ended) throw new HoldfastError('Damaged', `Not all of ${item} was taken, so its hash was not compared.`, item);
}
