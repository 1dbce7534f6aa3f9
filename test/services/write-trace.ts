import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** One change of a folder, in the order in which a program made them. Paths are relative to the folder; `''` is itself. */
export type Change =
  | { readonly kind: 'created' | 'removed' | 'synced'; readonly path: string }
  /** The whole file system; `path` is what was named. */
  | { readonly kind: 'all-synced'; readonly path: string }
  /** A folder. */
  | { readonly kind: 'made'; readonly path: string }
  /** A second name of a file. */
  | { readonly kind: 'linked'; readonly path: string; readonly to: string }
  | { readonly kind: 'written'; readonly path: string; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'truncated'; readonly path: string; readonly size: number }
  | { readonly kind: 'renamed'; readonly path: string; readonly to: string };

const CALLS = [
  ...[
    'openat',
    'write',
    'writev',
    'pwrite64',
    'ftruncate',
    'fsync',
    'fdatasync',
    'syncfs',
    'unlink',
    'unlinkat',
    'rmdir',
  ],
  ...['rename', 'renameat', 'renameat2', 'mkdir', 'mkdirat', 'link', 'linkat'],
].join();

/** Runs a program under strace(1) and returns what it changed in `folder`, data included. Only changes that pass these
 *  system calls by path or descriptor are seen: a file that is mapped, like SQLite's `-shm`, is not. */
export function traceWrites(argv: readonly [string, ...string[]], folder: string): readonly Change[] {
  const log = `${folder}.strace`;
  const options = ['-f', '-y', '-xx', '-s', '1000000', '-e', `trace=${CALLS}`, '-e', 'signal=none', '-o', log];
  execFileSync('strace', [...options, '--', ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
  return wholeLines(readFileSync(log, 'latin1')).flatMap((line) => changesOf(line, folder));
}

/** Joins the two halves of a call that another thread interrupted; its place is where it ended. */
function wholeLines(log: string): string[] {
  const begun = new Map<string, string>();
  return log.split('\n').flatMap((line) => {
    const [, thread = '', call = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const unfinished = / <unfinished \.\.\.>$/.exec(call);
    if (unfinished) begun.set(thread, call.slice(0, unfinished.index));
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(call);
    if (unfinished) return [];
    return resumed ? [(begun.get(thread) ?? '') + resumed[1]] : [call];
  });
}

const unhex = (text: string): Buffer => Buffer.from(text.replaceAll('\\x', ''), 'hex');

function changesOf(call: string, folder: string): Change[] {
  const [, name = '', argumentList = '', result = ''] = /^(\w+)\((.*)\) += (-?\d+)/.exec(call) ?? [];
  if (name === '' || result.startsWith('-')) return [];
  // a name may be relative to a folder that is open: `5<FOLDER>, NAME`, `AT_FDCWD<FOLDER>, NAME`
  const named = [
    ...argumentList.matchAll(/(?:(?:\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>, )?"((?:\\x[0-9a-f]{2})*)"/g),
  ].map(([, from = '', text = '']) => ({ from: unhex(from), text: unhex(text) }));
  const inside = (path: string): string[] => {
    if (path === folder) return [''];
    return path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : [];
  };
  // -y prints a descriptor as `17<PATH>`; the numbers behind it are the last arguments
  const descriptor = inside(unhex(/^\d+<((?:\\x[0-9a-f]{2})*)>/.exec(argumentList)?.[1] ?? '').toString());
  const paths = named.map(({ from, text }) => inside(resolve(from.toString() || '/', text.toString())));
  const last = Number(/(\d+)$/.exec(argumentList)?.[1]);
  const [{ text: bytes } = { text: Buffer.alloc(0) }] = named;
  switch (name) {
    case 'openat':
      return (paths[0] ?? []).flatMap((path): Change[] => [
        ...(argumentList.includes('O_CREAT') ? [{ kind: 'created', path } as const] : []),
        ...(argumentList.includes('O_TRUNC') ? [{ kind: 'truncated', path, size: 0 } as const] : []),
      ]);
    case 'write':
      return descriptor.map((path) => ({ kind: 'written', path, offset: Number.NaN, bytes })); // at the end of the file
    case 'writev': {
      const all = Buffer.concat(named.map(({ text }) => text)).subarray(0, Number(result)); // the disk may take a part
      return descriptor.map((path) => ({ kind: 'written', path, offset: Number.NaN, bytes: all }));
    }
    case 'pwrite64':
      return descriptor.map((path) => ({ kind: 'written', path, offset: last, bytes }));
    case 'ftruncate':
      return descriptor.map((path) => ({ kind: 'truncated', path, size: last }));
    case 'fsync':
    case 'fdatasync':
      return descriptor.map((path) => ({ kind: 'synced', path }));
    case 'syncfs':
      return descriptor.map((path) => ({ kind: 'all-synced', path }));
    case 'mkdir':
    case 'mkdirat':
      return (paths[0] ?? []).map((path) => ({ kind: 'made', path }));
    case 'link':
    case 'linkat':
      return (paths[0] ?? []).flatMap((path) => (paths[1] ?? []).map((to) => ({ kind: 'linked', path, to }) as const));
    case 'unlink':
    case 'unlinkat':
    case 'rmdir':
      return (paths[0] ?? []).map((path) => ({ kind: 'removed', path }));
    case 'rename':
    case 'renameat':
    case 'renameat2':
      return (paths[0] ?? []).flatMap((path) => (paths[1] ?? []).map((to) => ({ kind: 'renamed', path, to }) as const));
    default:
      return [];
  }
}
