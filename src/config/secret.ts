import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, messageOf } from '../domain/errors.ts';
import { Secret } from '../domain/secret.ts';
import type { SecretReference, SecretSetting } from '../domain/settings.ts';

/** Larger than any key; a wrong path must not read a disk into memory. */
const LARGEST = 64 * 1024;

export interface SecretTools {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Runs a program without a shell and answers with what it printed; rejects when it fails. */
  run(argv: readonly string[]): Promise<string>;
  /** Told once per file that others may read. */
  warn(message: string): void;
}

/** Resolves a secret when it is needed. `purpose` says in an error what it is for: `password of repository offsite`.
 *  @throws HoldfastError `SecretMissing` when there is none or it is empty, naming where it was looked for, never its value */
export type SecretReader = (setting: SecretSetting, purpose: string) => Promise<Secret>;

/** A reader that looks at each place once. */
export function secretReader(tools: SecretTools): SecretReader {
  const known = new Map<string, Promise<Secret>>();
  return (setting, purpose) => {
    if (typeof setting === 'string') return Promise.resolve(new Secret(setting));
    const key = JSON.stringify(setting);
    const secret = known.get(key) ?? resolveSecret(setting, purpose, tools);
    known.set(key, secret);
    return secret;
  };
}

async function resolveSecret(reference: SecretReference, purpose: string, tools: SecretTools): Promise<Secret> {
  const source = sourceOf(reference);
  const missing = (why: string, cause?: unknown): HoldfastError =>
    new HoldfastError('SecretMissing', `The ${purpose} is missing: ${source} ${why}.`, source, { cause });
  let text: string | undefined;
  try {
    text = await read(reference, tools);
  } catch (error) {
    throw missing(whyUnread(error), error);
  }
  if (text === undefined) throw missing('is not set');
  const value = text.replace(/\r?\n$/, ''); // editors and programs end their last line; no secret ends with one
  if (value === '') throw missing('is empty');
  return new Secret(value);
}

function sourceOf(reference: SecretReference): string {
  if ('file' in reference) return `the file ${reference.file}`;
  if ('env' in reference) return `the variable ${reference.env}`;
  if ('credential' in reference) return `the systemd credential ${reference.credential}`;
  return `what ${reference.command[0]} prints`; // its arguments may say more than they should
}

async function read(reference: SecretReference, tools: SecretTools): Promise<string | undefined> {
  if ('file' in reference) return readSecretFile(reference.file, tools.warn);
  if ('env' in reference) return tools.environment[reference.env];
  if ('command' in reference) return tools.run(reference.command);
  // systemd.exec(5), LoadCredential=: a file of that name in a folder that only the service can read
  const folder = tools.environment.CREDENTIALS_DIRECTORY;
  return folder ? readSecretFile(join(folder, reference.credential), () => {}) : undefined;
}

async function readSecretFile(file: string, warn: SecretTools['warn']): Promise<string> {
  await using handle = await open(file, 'r');
  const { mode } = await handle.stat();
  const buffer = Buffer.alloc(LARGEST + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
    length += bytesRead;
    if (bytesRead === 0 || length === buffer.length) break;
  }
  if (length > LARGEST) throw new RangeError('is larger than 64 KiB, which no secret is');
  if ((mode & 0o004) !== 0) warn(`Everyone on this machine can read the secret in ${file}: chmod 600 ${file}`);
  return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length));
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'is not there',
  ENOTDIR: 'is not there',
  EACCES: 'cannot be read by this account',
  EISDIR: 'is a folder',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'is not UTF-8 text',
};

function whyUnread(error: unknown): string {
  if (error instanceof RangeError) return error.message;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  // a program's own words may hold what it was to keep: only the kind of failure is said
  return (
    WHY[code] ??
    (error instanceof HoldfastError ? `cannot be had (${error.code})` : `cannot be had: ${messageOf(error)}`)
  );
}
