/** One 512-byte header block of a tar: ustar as POSIX.1-2017 (pax, "ustar Interchange Format") has it, with the
 *  numbers and types that GNU tar adds (GNU tar manual, "Basic Tar Format"). */

export const BLOCK = 512;

/** A header block, its fields as they stand: pax records are not applied yet. */
export interface TarHeader {
  readonly name: Uint8Array;
  readonly linkName: Uint8Array;
  /** `0` file, `1` hard link, `2` symbolic link, `5` folder, `x` `g` pax records, `L` `K` long names, `S` sparse … */
  readonly typeflag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of data that follow, without their padding. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

const CHECKSUM = { at: 148, length: 8 } as const;

/** Bytes up to the next block boundary. */
export const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

export const isZeroBlock = (block: Uint8Array): boolean => block[0] === 0 && block.every((byte) => byte === 0);

const NOTHING = new Uint8Array(0);

/** A view of the block, since most are looked at once: a copy of each name was a tenth of reading a header. */
function untilNul(block: Uint8Array, at: number, length: number): Uint8Array {
  let end = at;
  while (end < at + length && block[end] !== 0) end++;
  return end === at ? NOTHING : block.subarray(at, end);
}

/** A number in octal, or in GNU's base 256 when the first bit is set; NaN when it is neither. */
function readNumber(block: Uint8Array, at: number, length: number): number {
  const first = block[at] ?? 0;
  if (first & 0x80) {
    const negative = first === 0xff;
    let value = negative ? -1 : first & 0x7f;
    for (let i = 1; i < length; i++) value = value * 256 + (block[at + i] ?? 0);
    return value;
  }
  let value = 0;
  let digits = 0;
  for (let i = at; i < at + length; i++) {
    const byte = block[i] ?? 0;
    if (byte >= 0x30 && byte < 0x38) {
      value = value * 8 + byte - 0x30;
      digits += 1;
    } else if (byte === 0 || (byte === 0x20 && digits > 0)) break;
    else if (byte !== 0x20) return Number.NaN;
  }
  return value;
}

/** The sum of a block's bytes, its own checksum field taken as spaces. */
function sumOf(block: Uint8Array): number {
  let sum = CHECKSUM.length * 0x20;
  for (let i = 0; i < BLOCK; i++) sum += block[i] ?? 0;
  for (let i = CHECKSUM.at; i < CHECKSUM.at + CHECKSUM.length; i++) sum -= block[i] ?? 0;
  return sum;
}

/** Some old tars summed signed bytes (GNU tar manual, "Checksumming Problems"). */
function signedSumOf(block: Uint8Array): number {
  let sum = sumOf(block);
  for (let i = 0; i < BLOCK; i++)
    if ((i < CHECKSUM.at || i >= CHECKSUM.at + CHECKSUM.length) && (block[i] ?? 0) > 127) sum -= 256;
  return sum;
}

/** Null when the block is no header: its checksum or one of its numbers is wrong. */
export function parseTarHeader(block: Uint8Array): TarHeader | null {
  const checksum = readNumber(block, CHECKSUM.at, CHECKSUM.length);
  if (checksum !== sumOf(block) && checksum !== signedSumOf(block)) return null;
  const numbers = {
    mode: readNumber(block, 100, 8),
    uid: readNumber(block, 108, 8),
    gid: readNumber(block, 116, 8),
    size: readNumber(block, 124, 12),
    mtime: readNumber(block, 136, 12),
  };
  const { mode, uid, gid, size, mtime } = numbers;
  if (!Number.isSafeInteger(mode) || !Number.isSafeInteger(uid) || !Number.isSafeInteger(gid)) return null;
  if (!Number.isSafeInteger(mtime) || !Number.isSafeInteger(size) || size < 0) return null;
  const posix = block[257] === 0x75 && block[262] === 0; // "ustar\0"; GNU's own magic is "ustar  " and has no prefix
  const name = untilNul(block, 0, 100);
  const prefix = posix ? untilNul(block, 345, 155) : NOTHING;
  return {
    ...numbers,
    name: prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : name,
    linkName: untilNul(block, 157, 100),
    typeflag: String.fromCharCode(block[156] || 0x30), // V7 tars have a NUL for a file
  };
}

/** Writes `value` in octal, or in base 256 where octal has no room. */
function writeNumber(block: Uint8Array, at: number, length: number, value: number): void {
  const octal = value.toString(8);
  if (octal.length < length) {
    block.set(Buffer.from(`${octal.padStart(length - 1, '0')}\0`, 'latin1'), at);
    return;
  }
  let rest = value;
  for (let i = length - 1; i > 0; i--) {
    block[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  block[at] = 0x80;
}

/** A copy of `block` with another name (cut at 100 bytes; a pax record has the whole), and its checksum made right. */
export function renamedBlock(block: Uint8Array, name: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(block);
  copy.fill(0, 0, 100);
  copy.set(name.subarray(0, 100), 0);
  if (copy[257] === 0x75 && copy[262] === 0) copy.fill(0, 345, 500);
  return withChecksum(copy);
}

/** A copy of `block` with another link name (cut at 100 bytes). */
export function relinkedBlock(block: Uint8Array, linkName: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(block);
  copy.fill(0, 157, 257);
  copy.set(linkName.subarray(0, 100), 157);
  return withChecksum(copy);
}

function withChecksum(block: Uint8Array): Uint8Array {
  block.set(Buffer.from(`${sumOf(block).toString(8).padStart(6, '0')}\0 `, 'latin1'), CHECKSUM.at);
  return block;
}

/** A ustar header block. Names are cut at 100 bytes: whoever needs more puts a pax header before it. */
export function formatTarHeader(header: TarHeader): Uint8Array {
  const block = new Uint8Array(BLOCK);
  block.set(header.name.subarray(0, 100), 0);
  writeNumber(block, 100, 8, header.mode);
  writeNumber(block, 108, 8, header.uid);
  writeNumber(block, 116, 8, header.gid);
  writeNumber(block, 124, 12, header.size);
  writeNumber(block, 136, 12, Math.max(0, Math.floor(header.mtime)));
  block[156] = header.typeflag.charCodeAt(0);
  block.set(header.linkName.subarray(0, 100), 157);
  block.set(Buffer.from('ustar\x0000', 'latin1'), 257);
  return withChecksum(block);
}
