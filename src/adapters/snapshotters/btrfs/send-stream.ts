import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';

/** What one command of a send stream says of paths. */
export interface Touched {
  /** Relative to the subvolume, bytes as latin1, as they were at that moment of the stream: also names that a path had
   *  for a moment only. */
  readonly paths: readonly string[];
  /** The content or an extended attribute was written. */
  readonly written: boolean;
}

// https://btrfs.readthedocs.io/en/latest/dev/dev-send-stream.html and the kernel's fs/btrfs/send.h, numbers in little
// endian: magic and version; then commands, each of length (without this header), number and checksum, then attributes,
// each of number, length and value.
const MAGIC = 'btrfs-stream\0';
const STREAM_HEADER = MAGIC.length + 4;
const COMMAND_HEADER = 10;
const ATTRIBUTE_HEADER = 4;
const COMMANDS = { subvol: 1, snapshot: 2, rename: 9, end: 21 } as const;
const ATTRIBUTES = { path: 15, pathTo: 16, data: 19 } as const;
/** set_xattr, remove_xattr, write, clone, truncate, update_extent, fallocate, fileattr, encoded_write, enable_verity. */
const WRITES: ReadonlySet<number> = new Set([13, 14, 15, 16, 17, 22, 23, 24, 25, 26]);

/** Reads a stream as `btrfs send` writes it, with data or without; its checksums are not looked at.
 *  @throws Damaged for what is no send stream, or has no end */
export async function* readTouched(stream: Bytes): AsyncGenerator<Touched> {
  let rest: Buffer = Buffer.alloc(0);
  let begun = false;
  let ended = false;
  for await (const chunk of stream) {
    const bytes = Buffer.concat([rest, chunk]);
    let at = 0;
    if (!begun && bytes.length >= STREAM_HEADER) {
      if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) throw damaged('does not begin as one');
      [begun, at] = [true, STREAM_HEADER];
    }
    while (begun && bytes.length - at >= COMMAND_HEADER) {
      const end = at + COMMAND_HEADER + bytes.readUInt32LE(at);
      if (end > bytes.length) break;
      const command = bytes.readUInt16LE(at + 4);
      ended ||= command === COMMANDS.end;
      const touched = touchedBy(command, bytes.subarray(at + COMMAND_HEADER, end));
      if (touched !== null) yield touched;
      at = end;
    }
    rest = bytes.subarray(at);
  }
  if (!ended) throw damaged('is cut off');
}

/** Null for what names no path. Only a rename has a second one: the target of a symbolic link is text, and the other name
 *  of a hard link stays what it is. */
function touchedBy(command: number, attributes: Buffer): Touched | null {
  if (command === COMMANDS.subvol || command === COMMANDS.snapshot || command === COMMANDS.end) return null;
  const paths: string[] = [];
  for (let at = 0; at + ATTRIBUTE_HEADER <= attributes.length; ) {
    const attribute = attributes.readUInt16LE(at);
    if (attribute === ATTRIBUTES.data) break; // the last; from version 2 on it has no length
    const from = at + ATTRIBUTE_HEADER;
    at = from + attributes.readUInt16LE(at + 2);
    if (attribute === ATTRIBUTES.path || (attribute === ATTRIBUTES.pathTo && command === COMMANDS.rename))
      paths.push(attributes.toString('latin1', from, at));
  }
  return { paths: paths.filter((path) => path !== ''), written: WRITES.has(command) };
}

const damaged = (what: string): HoldfastError =>
  new HoldfastError('Damaged', `The send stream of btrfs ${what}.`, 'btrfs send');
