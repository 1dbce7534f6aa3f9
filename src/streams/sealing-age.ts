import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { Decrypter } from 'age-encryption';
import { HoldfastError, messageOf } from '../domain/errors.ts';
import type { Secret } from '../domain/secret.ts';
import type { Bytes } from '../ports/bytes.ts';
import type { Extent } from './stored-bytes.ts';

/** age (https://age-encryption.org/v1): a header by the library; the payload is a nonce of 16 bytes, then chunks of
 *  64 KiB under ChaCha20-Poly1305, each with a tag of 16 bytes, the last one marked in its nonce. */
const CHUNK = 64 * 1024;
const TAG = 16;
const SEALED_CHUNK = CHUNK + TAG;
const NONCE = 16;
/** A header with a hundred recipients is well below this. */
const HEADER_LIMIT = 1024 ** 2;
const CIPHER = 'chacha20-poly1305';

const payloadKey = (fileKey: Uint8Array, nonce: Uint8Array): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', fileKey, nonce, 'payload', 32));

/** The nonce of a chunk: its number in 11 bytes, big-endian, and whether it is the last one. */
function chunkNonce(chunk: number, last: boolean): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(Math.floor(chunk / 2 ** 32), 3);
  nonce.writeUInt32BE(chunk >>> 0, 7);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

/** The sealed chunk in pieces; `plain` are its plain bytes in pieces. */
function* sealChunk(
  key: Uint8Array,
  chunk: number,
  last: boolean,
  plain: readonly Uint8Array[],
): Generator<Uint8Array> {
  const cipher = createCipheriv(CIPHER, key, chunkNonce(chunk, last), { authTagLength: TAG });
  for (const piece of plain) yield cipher.update(piece);
  cipher.final(); // a stream cipher keeps nothing back
  yield cipher.getAuthTag();
}

function openChunk(key: Uint8Array, chunk: number, last: boolean, sealed: Uint8Array, subject: string): Uint8Array {
  const decipher = createDecipheriv(CIPHER, key, chunkNonce(chunk, last), { authTagLength: TAG });
  try {
    decipher.setAuthTag(sealed.subarray(-TAG));
    const plain = decipher.update(sealed.subarray(0, -TAG));
    decipher.final();
    return plain;
  } catch (cause) {
    const what = last ? 'or the file was cut off or continued' : 'the bytes are not those that were sealed';
    throw new HoldfastError('Damaged', `The seal of ${subject} is broken at chunk ${chunk}: ${what}.`, subject, {
      cause,
    });
  }
}

/** Makes the header, and catches the file key that the library draws. */
async function newHeader(recipients: readonly string[]): Promise<{ header: Uint8Array; fileKey: Uint8Array }> {
  const { Encrypter } = await import('age-encryption'); // 300 KB, read only where something is sealed
  const encrypter = new Encrypter();
  const caught: Uint8Array[] = [];
  try {
    for (const recipient of recipients) encrypter.addRecipient(recipient);
  } catch (cause) {
    const words = `A recipient of age cannot be used: ${messageOf(cause)}. It begins with age1.`;
    throw new HoldfastError('ConfigurationInvalid', words, 'age recipients', { cause });
  }
  if (recipients.length === 0)
    throw new HoldfastError('ConfigurationInvalid', 'age needs at least one recipient.', 'age recipients');
  encrypter.addRecipient({
    wrapFileKey(key) {
      caught.push(Uint8Array.from(key));
      return [];
    },
  });
  const empty = await encrypter.encrypt(new Uint8Array(0)); // header, nonce, and one chunk that has only its tag
  const [fileKey] = caught;
  if (fileKey === undefined) throw new RangeError('the library of age drew no file key');
  return { header: empty.subarray(0, empty.length - NONCE - TAG), fileKey };
}

/** Seals a stream for these recipients. */
export async function* sealAge(bytes: Bytes, recipients: readonly string[]): Bytes {
  const { header, fileKey } = await newHeader(recipients);
  const nonce = randomBytes(NONCE);
  const key = payloadKey(fileKey, nonce);
  yield Buffer.concat([header, nonce]);
  let chunk = 0;
  let waiting: Uint8Array[] = []; // up to a whole chunk, since it may be the last one
  let length = 0;
  for await (const piece of bytes) {
    let at = 0;
    while (length + piece.length - at > CHUNK) {
      const step = CHUNK - length;
      yield* sealChunk(key, chunk++, false, [...waiting, piece.subarray(at, at + step)]);
      at += step;
      waiting = [];
      length = 0;
    }
    if (at < piece.length) waiting.push(piece.subarray(at));
    length += piece.length - at;
  }
  yield* sealChunk(key, chunk, true, waiting);
}

async function decrypterOf(identities: readonly Secret[], subject: string): Promise<Decrypter> {
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  const lines = identities.flatMap((identity) => identity.reveal().split(/\r?\n/)).map((line) => line.trim());
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length === 0)
    throw new HoldfastError(
      'WrongPassword',
      `${subject} is sealed with age, and no identity is given to open it.`,
      subject,
      { hint: 'Name it in the configuration, or by hand: --identity FILE' },
    );
  try {
    for (const key of keys) decrypter.addIdentity(key);
  } catch (cause) {
    const words = 'An identity of age cannot be used: it is no line that begins with AGE-SECRET-KEY-.';
    throw new HoldfastError('WrongPassword', words, subject, { cause });
  }
  return decrypter;
}

/** The bytes of the header, its last newline included; null when there is none. */
async function readHeader(file: Extent): Promise<Uint8Array | null> {
  const bytes = Buffer.from(await file.read(0, Math.min(HEADER_LIMIT, file.size)));
  if (!bytes.subarray(0, 22).equals(Buffer.from('age-encryption.org/v1\n'))) return null;
  const mac = bytes.indexOf('\n--- ');
  const end = mac < 0 ? -1 : bytes.indexOf('\n', mac + 1);
  return end < 0 ? null : bytes.subarray(0, end + 1);
}

/** A sealed file that was opened. */
export interface OpenedAge extends Extent {
  /** The plain bytes of the whole file, whose sealed bytes are given. @throws Damaged */
  unseal(sealed: Bytes): Bytes;
}

/** Opens a sealed file: its chunks can be read anywhere, and its length is proved by the last one.
 *  @throws WrongPassword, Damaged */
export async function openAge(file: Extent, identities: readonly Secret[], subject: string): Promise<OpenedAge> {
  const decrypter = await decrypterOf(identities, subject);
  const header = await readHeader(file);
  const payload = (header?.length ?? 0) + NONCE;
  const sealedSize = file.size - payload;
  const chunks = Math.max(1, Math.ceil(sealedSize / SEALED_CHUNK));
  const lastSize = sealedSize - (chunks - 1) * SEALED_CHUNK;
  if (header === null || lastSize < TAG || (lastSize === TAG && chunks > 1))
    throw new HoldfastError('Damaged', `${subject} is no whole age file.`, subject);
  let fileKey: Uint8Array;
  try {
    fileKey = await decrypter.decryptHeader(header);
  } catch (cause) {
    const wrong = messageOf(cause).includes('no identity matched');
    if (!wrong) throw new HoldfastError('Damaged', `The age header of ${subject} is not whole.`, subject, { cause });
    throw new HoldfastError('WrongPassword', `None of the identities opens ${subject}.`, subject, { cause });
  }
  const key = payloadKey(fileKey, await file.read(header.length, NONCE));
  const size = sealedSize - chunks * TAG;

  async function read(offset: number, length: number): Promise<Uint8Array> {
    if (offset + length > size) throw new HoldfastError('Damaged', `${subject} ends after ${size} bytes.`, subject);
    if (length === 0) return new Uint8Array(0);
    const first = Math.floor(offset / CHUNK);
    const last = Math.floor((offset + length - 1) / CHUNK);
    const end = Math.min((last + 1) * SEALED_CHUNK, sealedSize);
    const sealed = await file.read(payload + first * SEALED_CHUNK, end - first * SEALED_CHUNK);
    const plain: Uint8Array[] = [];
    for (let i = first; i <= last; i++) {
      const at = (i - first) * SEALED_CHUNK;
      plain.push(openChunk(key, i, i === chunks - 1, sealed.subarray(at, at + SEALED_CHUNK), subject));
    }
    const skipped = offset - first * CHUNK;
    return Buffer.concat(plain).subarray(skipped, skipped + length);
  }

  return {
    size,
    read,
    async *unseal(bytes) {
      let skip = payload;
      let chunk = 0;
      let rest: Uint8Array = new Uint8Array(0);
      for await (const piece of bytes) {
        const part = piece.subarray(Math.min(skip, piece.length));
        skip -= piece.length - part.length;
        const all = rest.length === 0 ? part : Buffer.concat([rest, part]);
        const plain: Uint8Array[] = [];
        let at = 0;
        for (; at + SEALED_CHUNK < all.length; at += SEALED_CHUNK)
          plain.push(openChunk(key, chunk++, false, all.subarray(at, at + SEALED_CHUNK), subject));
        rest = all.subarray(at);
        if (plain.length > 0) yield Buffer.concat(plain);
      }
      yield openChunk(key, chunk, true, rest, subject);
    },
  };
}
