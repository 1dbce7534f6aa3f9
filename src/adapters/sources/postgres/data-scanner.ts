/** What the data of an archive are, as pg_restore prints them. */
export interface DataScan {
  take(chunk: Uint8Array): void;
  /** @returns rows by `schema.table`, and the number of large objects; null when it ends in the middle of a table */
  end(): { readonly tables: Readonly<Record<string, number>>; readonly largeObjects: number } | null;
}

const NEWLINE = 0x0a;
const [BACKSLASH, DOT] = [0x5c, 0x2e];
const LARGE_OBJECT = /^SELECT pg_catalog\.lo_open\('/;

/** Counts the rows between `COPY … FROM stdin;` and `\.` (COPY, text format: a newline in a value is `\n`). Only the data
 *  of an archive are printed, so that no function's body can be taken for them. */
export function scanData(): DataScan {
  const tables = new Map<string, number>();
  let largeObjects = 0;
  /** The table whose rows are passing; null between tables. */
  let table: string | null = null;
  let rows = 0;
  /** The beginning of a line that goes on in the next chunk: all of it outside of rows, inside its first three bytes. */
  let begun: Buffer[] = [];
  let begunLength = 0;
  /** A COPY statement whose names have newlines. */
  let statement = '';

  function takeLine(line: string): void {
    const text = statement + line;
    if (!text.startsWith('COPY ')) {
      if (LARGE_OBJECT.test(text)) largeObjects += 1;
      return;
    }
    if (!text.endsWith(' FROM stdin;')) {
      statement = `${text}\n`;
      return;
    }
    statement = '';
    table = copiedTable(text);
    rows = 0;
  }
  function endTable(): void {
    if (table !== null) tables.set(table, (tables.get(table) ?? 0) + rows);
    table = null;
  }
  /** @returns where the next line begins */
  function takeRow(chunk: Buffer, from: number, newline: number): void {
    const length = begunLength + newline - from;
    const isEnd = length === 2 && startOf(chunk, from, newline).equals(END_OF_ROWS);
    if (isEnd) endTable();
    else rows += 1;
  }
  const startOf = (chunk: Buffer, from: number, to: number): Buffer =>
    begun.length === 0 ? chunk.subarray(from, to) : Buffer.concat([...begun, chunk.subarray(from, to)]);

  return {
    take(bytes) {
      const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      let from = 0;
      for (;;) {
        const newline = chunk.indexOf(NEWLINE, from);
        if (newline < 0) break;
        if (table !== null) takeRow(chunk, from, newline);
        else takeLine(startOf(chunk, from, newline).toString('utf8'));
        begun = [];
        begunLength = 0;
        from = newline + 1;
      }
      if (from === chunk.length) return;
      begunLength += chunk.length - from;
      // copies: the chunk's memory may be used again
      if (table === null) begun.push(Buffer.from(chunk.subarray(from)));
      else if (begun.length < 3) begun.push(Buffer.from(chunk.subarray(from, from + 3)));
    },
    end() {
      if (table !== null || statement !== '') return null;
      return { tables: Object.fromEntries(tables), largeObjects };
    },
  };
}

const END_OF_ROWS = Buffer.from([BACKSLASH, DOT]);

/** `COPY public."My Table" (id) FROM stdin;` is of `public.My Table`; a schema whose own name has a dot stays quoted, since
 *  `"a.b".c` and `a."b.c"` are two tables. */
export function copiedTable(statement: string): string {
  const name = '("(?:[^"]|"")*"|[^\\s".(]+)';
  const [, schema = '', table = ''] = new RegExp(`^COPY ${name}\\.${name}[ (]`).exec(statement) ?? [];
  const plain = (identifier: string): string =>
    identifier.startsWith('"') ? identifier.slice(1, -1).replaceAll('""', '"') : identifier;
  return `${/^"|[.]/.test(plain(schema)) ? schema : plain(schema)}.${plain(table)}`;
}
