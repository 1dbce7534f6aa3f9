import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';

/** Milliseconds in which something of a dump has to come. A fork of a large Redis and a lock that somebody holds are
 *  waited for; a server that hangs must not hold a run, and the units that it stopped, for ever. */
const LIMIT_MS = 60 * 60_000;

/** What a program of a server prints, unless nothing comes for too long: then it is ended.
 *  @param read whose signal ends the program
 *  @throws SourceFailed when nothing came; what `read` throws */
export async function* unlessSilent(
  read: (signal: AbortSignal) => Bytes,
  subject: string,
  signal: AbortSignal,
  limitMs = LIMIT_MS,
): Bytes {
  const silent = new AbortController();
  const giveUp = (): void => silent.abort(tookTooLong(subject, limitMs));
  const bytes = read(AbortSignal.any([signal, silent.signal]))[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(giveUp, limitMs);
      const next = await bytes.next().finally(() => clearTimeout(timer));
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await bytes.return?.();
  }
}

const tookTooLong = (subject: string, limitMs: number): HoldfastError =>
  new HoldfastError(
    'SourceFailed',
    `${subject}: the server sent nothing of its dump for ${Math.round(limitMs / 60_000)} minutes.`,
    subject,
    { hint: 'Look whether the server hangs, and who holds locks in it. The last good point stays' },
  );
