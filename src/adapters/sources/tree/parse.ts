import { printName } from '../../../domain/tree-name.ts';
import { FIELDS, FIELDS_BEFORE_IDENTITY } from './args.ts';

/** One name that `find` printed. */
export interface Found {
  /** As `find -printf %y`: f, d, l, s (socket), p, b, c, D. */
  readonly type: string;
  readonly device: number;
  /** Apparent size in bytes. */
  readonly size: number;
  /** Allocated bytes. */
  readonly allocated: number;
  readonly links: number;
  /** 0 for a root. */
  readonly depth: number;
  readonly inode: number;
  readonly path: Buffer;
  /** Type, size, mode, owner, group, inode number, times, name and target: other bytes when one of these changed. */
  readonly identity: Buffer;
}

const SPACE = 0x20;
const ZERO = 0x30;

/** Cuts the output of `find` into records, whatever the chunks. `end` throws when the last one is not whole. */
export function recordSplitter(): { write(chunk: Uint8Array): Generator<Found>; end(): void } {
  let rest: Buffer = Buffer.alloc(0);
  return {
    *write(chunk) {
      const bytes =
        rest.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat([rest, chunk]);
      let start = 0;
      for (;;) {
        const path = bytes.indexOf(0, start);
        if (path < 0) break;
        // Only a link has a target, so the next byte mostly ends the record.
        const target = bytes[path + 1] === 0 ? path + 1 : bytes.indexOf(0, path + 1);
        if (target < 0) break;
        yield parseRecord(bytes, start, path, target + 1);
        start = target + 1;
      }
      rest = Buffer.from(bytes.subarray(start)); // a copy: the chunk belongs to its producer again
    },
    end() {
      if (rest.length > 0) throw new Error(`find ended in the middle of a name: ${printName(rest)}`);
    },
  };
}

/** A tree may have millions of names, so the numbers are read byte by byte, without a string for each. */
function parseRecord(bytes: Buffer, start: number, pathEnd: number, end: number): Found {
  const fields: number[] = [];
  let [at, value, identity] = [start, 0, start];
  while (fields.length < FIELDS) {
    const byte = bytes[at++] ?? SPACE;
    if (byte !== SPACE) {
      value = value * 10 + byte - ZERO; // of the type and the times this makes no sense, and nobody asks for it
      continue;
    }
    fields.push(value);
    value = 0;
    if (fields.length === FIELDS_BEFORE_IDENTITY) identity = at;
  }
  const [blocks = 0, links = 1, depth = 0, device = 0, , size = 0, , , , inode = 0] = fields;
  return {
    type: String.fromCharCode(bytes[identity] ?? 0),
    device,
    size,
    allocated: blocks * 512,
    links,
    depth,
    inode,
    path: bytes.subarray(at, pathEnd),
    identity: bytes.subarray(identity, end),
  };
}

/** What a line of stderr says about a name. `gone` and `changed` are no failure, `unreadable` names what is not in the
 *  item, `note` is something else that is no failure, `closing` repeats that there was something, `failure` is all that
 *  is not known. */
export interface Said {
  readonly what: 'gone' | 'changed' | 'unreadable' | 'note' | 'closing' | 'failure';
  /** Absolute, as `ls` prints names. */
  readonly name: string;
  readonly why: string;
}

const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 };

/** Undoes the escapes of GNU's quoting styles `escape` and `locale` (gnulib, quotearg): `\n`, `\303`, `\\`, `\'`. */
function unquote(text: string): Uint8Array {
  const latin = text.replaceAll(/\\([0-7]{3}|.)/gs, (_, code: string) =>
    String.fromCharCode(code.length === 3 ? Number.parseInt(code, 8) : (ESCAPES[code] ?? code.charCodeAt(0))),
  );
  return Buffer.from(latin, 'latin1');
}

const GONE = /^(?:No such file or directory|Not a directory|Stale file handle)$/;

/** GNU tar 1.34, src/create.c, src/misc.c and src/xattrs.c; names relative to `/`. */
export function parseTarLine(line: string): Said {
  const of = (what: Said['what'], name: string, why: string): Said => ({
    what,
    name: `/${printName(unquote(name))}`,
    why,
  });
  const text = line.replace(/^tar: /, '');
  if (text === 'Exiting with failure status due to previous errors') return { what: 'closing', name: '', why: text };
  const warned = /^(.*): Warning: (Cannot .*)$/s.exec(text);
  if (warned) return of('note', warned[1] ?? '', warned[2] ?? '');
  const removed = /^(.*): File removed before we read it$/s.exec(text);
  if (removed) return of('gone', removed[1] ?? '', 'it vanished while the tree was read');
  const changed = /^(.*): (file changed as we read it|File shrank by \d+ bytes?; padding with zeros)$/s.exec(text);
  if (changed) return of('changed', changed[1] ?? '', 'it changed while it was read');
  const ignored = /^(.*): (socket ignored|door ignored|Unknown file type; file ignored)$/s.exec(text);
  if (ignored) return of('note', ignored[1] ?? '', ignored[2] ?? '');
  const broken = /^(.*): Read error at byte \d+, while reading \d+ bytes?: (.*)$/s.exec(text);
  if (broken) return of('unreadable', broken[1] ?? '', `${broken[2]}; zeros stand for what could not be read`);
  const cannot = /^(.*): Cannot (?:stat|fstat|open|read|readlink|seek): (.*)$/s.exec(text);
  if (cannot === null) return { what: 'failure', name: '', why: text };
  return GONE.test(cannot[2] ?? '')
    ? of('gone', cannot[1] ?? '', 'it vanished while the tree was read')
    : of('unreadable', cannot[1] ?? '', cannot[2] ?? '');
}

/** GNU findutils 4.9, find/ftsfind.c; names are absolute. */
export function parseFindLine(line: string): Said {
  const matched = /^find: '(.*)': (.*)$/s.exec(line);
  if (matched === null) return { what: 'failure', name: '', why: line.replace(/^find: /, '') };
  const name = printName(unquote(matched[1] ?? ''));
  const why = matched[2] ?? '';
  return GONE.test(why)
    ? { what: 'gone', name, why: 'it vanished while the tree was read' }
    : { what: 'unreadable', name, why };
}
