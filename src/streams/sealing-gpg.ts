import { HoldfastError } from '../domain/errors.ts';
import type { Secret } from '../domain/secret.ts';
import type { Sealing } from '../domain/storage.ts';
import type { Bytes } from '../ports/bytes.ts';
import type { Host } from '../ports/host.ts';

/** `Host.read` of the machine whose `gpg` and key ring are used. */
export type ReadPipeline = Host['read'];
type GpgSealing = Exclude<Sealing, { kind: 'age' }>;

const COMMON = ['--batch', '--no-tty', '--quiet', '--yes', '--no-symkey-cache'];
/** The passphrase is the first line of stdin: gpg reads it byte by byte, and what follows is the data. */
const PASSPHRASE = ['--pinentry-mode', 'loopback', '--passphrase-fd', '0'];

async function* withPassphrase(passphrase: Secret, bytes: Bytes): Bytes {
  const line = passphrase.reveal();
  if (line === '' || /[\r\n\0]/.test(line))
    throw new HoldfastError('ConfigurationInvalid', 'A passphrase for gpg is one line that is not empty.', 'gpg');
  yield Buffer.from(`${line}\n`);
  yield* bytes;
}

function pipeline(args: readonly string[]) {
  const home = process.env.GNUPGHOME;
  return [{ program: 'gpg', args, ...(home === undefined ? {} : { environment: { GNUPGHOME: home } }) }];
}

const needed = (read: ReadPipeline | undefined): ReadPipeline => {
  if (read !== undefined) return read;
  throw new HoldfastError('Unsupported', 'gpg is asked for where no program can be run.', 'gpg');
};

/** Seals a stream with gpg. Its own compression is off: the bytes are compressed already (4.2 s became 0.6).
 *  @throws ConfigurationInvalid for a recipient whose key this account does not have; ToolMissing, ProcessFailed */
export function sealGpg(bytes: Bytes, sealing: GpgSealing, read: ReadPipeline | undefined, signal: AbortSignal): Bytes {
  const run = needed(read);
  const options = [...COMMON, '--compress-algo', 'none'];
  if (sealing.kind === 'gpg') {
    const recipients = sealing.recipients.flatMap((recipient) => ['--recipient', recipient]);
    const args = [...options, '--trust-model', 'always', ...recipients, '--encrypt'];
    return sealedFor(pipeline(args), bytes, run, signal);
  }
  const args = [...options, ...PASSPHRASE, '--cipher-algo', 'AES256', '--symmetric'];
  return run(pipeline(args), { signal, input: withPassphrase(sealing.passphrase, bytes) });
}

/** gpg's last words are about the data; what is wrong with a recipient it says before. */
const SAYS_SKIPPED = /^gpg: (.+): skipped: /;

async function* sealedFor(
  command: ReturnType<typeof pipeline>,
  input: Bytes,
  run: ReadPipeline,
  signal: AbortSignal,
): Bytes {
  const skipped = new Set<string>();
  const onStderr = (line: string): void => {
    const [, recipient] = SAYS_SKIPPED.exec(line) ?? [];
    if (recipient !== undefined) skipped.add(recipient);
  };
  try {
    yield* run(command, { signal, input, onStderr });
  } catch (cause) {
    const [first] = skipped;
    if (first === undefined) throw cause;
    const message = `gpg has no key that can seal for ${[...skipped].join(', ')}.`;
    const hint = 'Import it with: gpg --import FILE. The keys of this account: gpg --list-keys';
    throw new HoldfastError('ConfigurationInvalid', message, first, { cause, hint });
  }
}

/** What gpg says when the key is not there or is not the right one (GnuPG 2.2, LC_ALL=C). */
const SAYS_WRONG = /no secret key|bad session key|bad passphrase|no passphrase|not a secret key/i;

/** The plain bytes of a sealed stream. gpg proves them at their end only.
 *  @throws WrongPassword, Damaged, ToolMissing */
export async function* unsealGpg(
  bytes: Bytes,
  sealing: GpgSealing,
  read: ReadPipeline | undefined,
  subject: string,
  signal: AbortSignal,
): Bytes {
  const run = needed(read);
  const symmetric = sealing.kind === 'gpg-passphrase';
  const args = [...COMMON, ...(symmetric ? PASSPHRASE : []), '--decrypt'];
  const words: string[] = [];
  const onStderr = (line: string): void => void (words.length < 50 && words.push(line));
  const input = symmetric ? withPassphrase(sealing.passphrase, bytes) : bytes;
  try {
    yield* run(pipeline(args), { signal, input, onStderr });
  } catch (cause) {
    if (!(cause instanceof HoldfastError) || cause.code !== 'ProcessFailed') throw cause;
    const said = words.at(-1) ?? cause.message;
    if (words.some((line) => SAYS_WRONG.test(line)))
      throw new HoldfastError('WrongPassword', `gpg cannot open ${subject}: ${said}.`, subject, { cause });
    throw new HoldfastError('Damaged', `gpg cannot open ${subject}: ${said}.`, subject, { cause });
  }
}
