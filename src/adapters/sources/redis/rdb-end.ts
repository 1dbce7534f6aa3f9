import { crc64 } from './crc64.ts';

/** Bytes of the mark that a server puts behind an RDB whose length it did not know when it began (`repl-diskless-sync`,
 *  the default since Redis 7): redis-cli cuts it off a file, and leaves it on stdout. */
const MARK_BYTES = 40;
const CHECKSUM_BYTES = 8;
const HELD_BYTES = MARK_BYTES + CHECKSUM_BYTES;
/** Opcode EOF, before the checksum. */
const END_OPCODE = 0xff;

export interface RdbEnd {
  /** What is certainly no mark: a copy. */
  take(chunk: Uint8Array): Uint8Array;
  /** The rest, without the mark. @returns null when there is no right end: bytes are missing, or are not what was sent */
  end(): Uint8Array | null;
}

/** Finds where an RDB ends by its checksum, whatever kinds of values it holds. */
export function findRdbEnd(): RdbEnd {
  const checksum = crc64();
  let held: Buffer = Buffer.alloc(0);
  let last = -1;
  const pass = (bytes: Buffer): Buffer => {
    checksum.take(bytes);
    last = bytes.at(-1) ?? last;
    return bytes;
  };
  /** A server with `rdbchecksum no` writes zeros. */
  const ends = (stored: Buffer): boolean =>
    last === END_OPCODE && (stored.equals(checksum.value()) || stored.equals(Buffer.alloc(CHECKSUM_BYTES)));
  return {
    take(chunk) {
      const all = Buffer.concat([held, chunk]);
      const passed = Math.max(0, all.length - HELD_BYTES);
      held = all.subarray(passed);
      return pass(all.subarray(0, passed));
    },
    end() {
      const marked = held.subarray(0, CHECKSUM_BYTES);
      if (held.length === HELD_BYTES && ends(marked)) return marked;
      if (held.length < CHECKSUM_BYTES) return null;
      pass(held.subarray(0, held.length - CHECKSUM_BYTES));
      return ends(held.subarray(held.length - CHECKSUM_BYTES)) ? held : null;
    },
  };
}
