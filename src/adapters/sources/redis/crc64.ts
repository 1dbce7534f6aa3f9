/** The checksum at the end of an RDB: CRC-64 "Jones", reflected, as in Redis' crc64.c. Numbers of 64 bits are two of 32. */
const [POLYNOMIAL_HIGH, POLYNOMIAL_LOW] = [0x95ac9329, 0xac4bc9b5] as const;

const [HIGH, LOW] = tables();

function tables(): readonly [Uint32Array, Uint32Array] {
  const [highs, lows] = [new Uint32Array(256), new Uint32Array(256)];
  for (let byte = 0; byte < 256; byte += 1) {
    let [high, low] = [0, byte];
    for (let bit = 0; bit < 8; bit += 1) {
      const odd = (low & 1) === 1;
      low = ((low >>> 1) | (high << 31)) ^ (odd ? POLYNOMIAL_LOW : 0);
      high = (high >>> 1) ^ (odd ? POLYNOMIAL_HIGH : 0);
    }
    highs[byte] = high;
    lows[byte] = low;
  }
  return [highs, lows];
}

export interface Crc64 {
  take(bytes: Uint8Array): void;
  /** Eight bytes, the lowest first, as an RDB has them. */
  value(): Buffer;
}

export function crc64(): Crc64 {
  let [high, low] = [0, 0];
  return {
    take(bytes) {
      let [upper, lower] = [high, low]; // locals: this loop reads every byte of a dump
      for (let at = 0; at < bytes.length; at += 1) {
        const index = (lower ^ (bytes[at] as number)) & 0xff;
        lower = ((lower >>> 8) | (upper << 24)) ^ (LOW[index] as number);
        upper = (upper >>> 8) ^ (HIGH[index] as number);
      }
      [high, low] = [upper, lower];
    },
    value() {
      const value = Buffer.alloc(8);
      value.writeUInt32LE(low >>> 0, 0);
      value.writeUInt32LE(high >>> 0, 4);
      return value;
    },
  };
}
