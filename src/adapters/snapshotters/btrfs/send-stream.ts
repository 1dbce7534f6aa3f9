/** What a send stream says of paths, by `btrfs receive --dump`: one change a line. */
export interface Touched {
  /** Relative to the subvolume, bytes as latin1, as they were at that moment of the stream: also names that a path had
   *  for a moment only. */
  readonly paths: readonly string[];
  /** The content or an extended attribute was written. */
  readonly written: boolean;
}

const WRITES = new Set([
  ...['write', 'encoded_write', 'update_extent', 'clone', 'truncate', 'fallocate'],
  ...['set_xattr', 'remove_xattr', 'fileattr', 'enable_verity'],
]);
const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  e: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** btrfs-progs, cmds/receive-dump.c, print_path_escaped: a letter, three octal digits, or the character itself. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3}|[\s\S])/g, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (ESCAPES[code] ?? code),
  );

/** `./NAME/a/b` as `a/b`; the subvolume itself as the empty path. */
const relative = (path: string): string => unescaped(path.split('/').slice(2).join('/'));

/** The path ends at a space that no backslash stands before. Only a rename has a second one: the target of a symbolic
 *  link is text, and the other name of a hard link stays what it is. */
const LINE = /^(\w+)\s+((?:\\[\s\S]|[^\s\\])+)(?:\s+dest=((?:\\[\s\S]|[^\s\\])+))?/;

export function parseTouched(line: string): Touched | null {
  const [, command, path, destination] = LINE.exec(line) ?? [];
  if (command === undefined || path === undefined || command === 'snapshot' || command === 'subvol') return null;
  const paths = [relative(path), ...(command === 'rename' && destination ? [relative(destination)] : [])];
  return { paths: paths.filter((each) => each !== ''), written: WRITES.has(command) };
}
