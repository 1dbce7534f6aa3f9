import { type ErrorCode, HoldfastError, type HoldfastErrorOptions } from './errors.ts';

/** What is stored in the state folder, and how its loss is mended. */
const HINTS = {
  catalog: {},
  'state folder': {},
  journal: {
    hint: 'Move the file aside and look whether a restore was under way: paths named ….recovery-backup-… are kept states',
  },
} as const satisfies Record<string, HoldfastErrorOptions>;

/** Primary result codes, https://www.sqlite.org/rescode.html */
const CODES: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  5: ['StateBusy', 'is being written by another process, which did not end in time'],
  8: ['StateUnusable', 'cannot be written: its file or folder is read-only'],
  10: ['StateUnusable', 'could not be read or written'],
  11: ['StateDamaged', 'is damaged'],
  13: ['NoSpace', 'cannot be written: its disk is full'],
  14: ['StateUnusable', 'cannot be opened'],
  26: ['StateDamaged', 'is no database: its file was overwritten or cut'],
};

/** SQLITE_IOERR_SHMSIZE: the index of the log finds no room. */
const NO_ROOM_FOR_INDEX = 4874;

/** Errors of the file system, errno(3), met before SQLite is asked. */
const ERRNO: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ['StateUnusable', 'cannot be made: its folder does not exist'],
  ENOTDIR: ['StateUnusable', 'cannot be made: its folder is a file'],
  EISDIR: ['StateUnusable', 'cannot be opened: it is a folder'],
  EACCES: ['StateUnusable', 'cannot be opened: this account may not'],
  EPERM: ['StateUnusable', 'cannot be opened: this account may not'],
  EROFS: ['StateUnusable', 'cannot be written: its file system is read-only'],
  ENOSPC: ['NoSpace', 'cannot be written: its disk is full'],
  EDQUOT: ['NoSpace', 'cannot be written: the quota is used up'],
};

/** The words for an error of SQLite or of the file system; any other error is returned as it is.
 *  @param error thrown by node:sqlite, with `errcode`, an extended result code whose low byte is the primary one; or by
 *    node:fs, with `code` */
export function stateError(error: unknown, what: keyof typeof HINTS, path: string): unknown {
  if (!(error instanceof Error)) return error;
  const { errcode, code: errno } = error as { errcode?: number; code?: string };
  const primary = errcode === NO_ROOM_FOR_INDEX ? 13 : (errcode ?? 0) & 0xff;
  const [code, words] = (errcode === undefined ? ERRNO[errno ?? ''] : CODES[primary]) ?? [];
  if (code === undefined) return error;
  const hint = code === 'StateDamaged' ? HINTS[what] : {};
  return new HoldfastError(code, `The ${what} ${path} ${words} (${error.message}).`, path, { cause: error, ...hint });
}

/** It can be opened, and yet holds what was never written. */
export const stateDamaged = (
  what: keyof typeof HINTS,
  path: string,
  words: string,
  options: ErrorOptions = {},
): HoldfastError =>
  new HoldfastError('StateDamaged', `The ${what} ${path} is damaged: ${words}.`, path, { ...options, ...HINTS[what] });

/** A later version of Holdfast wrote it: reading it could misunderstand it, writing could damage it. */
export const stateNewer = (what: keyof typeof HINTS, path: string, found: string): HoldfastError =>
  new HoldfastError(
    'StateNewer',
    `The ${what} ${path} was written by a later version of Holdfast: it has ${found}, which this version does not know.`,
    path,
  );
