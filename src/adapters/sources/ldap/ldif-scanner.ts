/** What came of an LDIF. */
export type Scanned = { readonly entries: number } | { readonly malformed: string };

export interface LdifScan {
  take(chunk: Uint8Array): void;
  end(): Scanned;
}

/** A value this long is none: no directory takes it. */
const LONGEST_LINE = 256 * 1024 ** 2;
const FIRST_LINE = /^version: *1$/;
/** RFC 2849, AttributeDescription; OpenLDAP's own names may have an underscore and a `{0}`. */
const ATTRIBUTE = /^([A-Za-z][A-Za-z0-9_-]*|\d+(?:\.\d+)*)((?:;[A-Za-z0-9_-]+)*)(:[:<]?)/;
/** RFC 2849, SAFE-STRING, without control characters: slapcat writes them, too, as base64. */
const SAFE = /^(?:[!-9;=-~][ -~]*)?$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

const isBase64 = (value: string): boolean => value.length % 4 === 0 && BASE64.test(value);

/** Reads the entries of an LDIF (RFC 2849) as its bytes pass: folded lines, comments, base64, `dn` first and `objectClass`
 *  in every entry, an empty line after the last one, as slapcat writes it. Changes are no entries. */
export function scanLdif(): LdifScan {
  const entries = readEntries();
  let pending = '';
  let logical: string | null = null;
  let problem: string | null = null;
  let lines = 0;

  function takeLine(line: string): void {
    lines += 1;
    if (line.startsWith(' ')) {
      if (logical === null) throw new Malformed('a folded line follows none');
      logical += line.slice(1);
      return;
    }
    if (logical !== null) entries.take(logical);
    logical = null;
    if (line === '') entries.close();
    else logical = line;
  }
  return {
    take(chunk) {
      if (problem !== null) return;
      const parts = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1').split('\n');
      parts[0] = pending + parts[0]; // only the new bytes are looked through: a photo is one line of many chunks
      pending = parts.pop() ?? '';
      try {
        if (pending.length > LONGEST_LINE) throw new Malformed('a line is too long');
        for (const part of parts) takeLine(part);
      } catch (error) {
        if (!(error instanceof Malformed)) throw error;
        problem = `line ${lines}: ${error.message}`;
      }
    },
    end() {
      if (problem !== null) return { malformed: problem };
      if (pending !== '' || logical !== null || entries.open())
        return { malformed: 'it ends in the middle of an entry' };
      return { entries: entries.count() };
    },
  };
}

class Malformed extends Error {}

interface Entries {
  /** One attribute, unfolded. */
  take(line: string): void;
  close(): void;
  open(): boolean;
  count(): number;
}

function readEntries(): Entries {
  let [count, attributes, classes] = [0, 0, 0];
  return {
    take(line) {
      if (line.startsWith('#')) return;
      if (count === 0 && attributes === 0 && FIRST_LINE.test(line)) return;
      const name = attributeOf(line);
      if (attributes === 0 && name !== 'dn') throw new Malformed('an entry does not begin with its dn');
      if (attributes > 0 && name === 'dn') throw new Malformed('an entry has a second dn');
      if (name === 'objectclass') classes += 1;
      attributes += 1;
    },
    close() {
      if (attributes === 0) return; // several empty lines
      if (classes === 0) throw new Malformed('the entry before it has no objectClass');
      [count, attributes, classes] = [count + 1, 0, 0];
    },
    open: () => attributes > 0,
    count: () => count,
  };
}

/** The name of an attribute whose value is well formed, in lower case. */
function attributeOf(line: string): string {
  const [head, name = '', , separator] = ATTRIBUTE.exec(line) ?? [];
  if (head === undefined) throw new Malformed('it is no attribute');
  const value = line.slice(head.length).replace(/^ */, '');
  if (separator === ':<') throw new Malformed('its value is in another file');
  if (!(separator === '::' ? isBase64(value) : SAFE.test(value)))
    throw new Malformed(`the value of ${name} is malformed`);
  if (value === '' && name.toLowerCase() === 'objectclass') throw new Malformed('its objectClass is empty');
  return name.toLowerCase();
}
