import { createHash } from 'node:crypto';

/** A file's name has at most 255 bytes, and compression and sealing add theirs. */
const LONGEST = 200;

/** The name of a database's item (interface, section 4): `postgres_authelia`. What is not `[A-Za-z0-9._-]` is
 *  percent-encoded as UTF-8. One that is too long for a file ends with a part of its hash. */
export function itemNameOf(kind: string, database: string): string {
  const encoded = [...Buffer.from(database)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9._-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
  const name = `${kind}_${encoded}`;
  if (name.length <= LONGEST) return name;
  return `${name.slice(0, LONGEST - 17)}-${createHash('sha256').update(database).digest('hex').slice(0, 16)}`;
}

/** The database that an item was made of; null for an item of another kind, and where its name was too long and is none
 *  of `named`. */
export function databaseOfItem(kind: string, item: string, named: readonly string[] = []): string | null {
  if (!item.startsWith(`${kind}_`)) return null;
  if (item.length >= LONGEST) return named.find((name) => itemNameOf(kind, name) === item) ?? null;
  try {
    return decodeURIComponent(item.slice(kind.length + 1));
  } catch {
    return null; // not encoded by us
  }
}
