/** One statement of a script, when its delimiter was met. */
export interface Statement {
  /** Its first bytes, at most {@link HEAD_BYTES}, without the space and the comments before it. */
  readonly head: Buffer;
  /** Groups in parentheses after `VALUES`: the rows of an INSERT. */
  readonly rows: number;
  /** Fields of each of these; -1 where they differ. */
  readonly fields: number;
  /** Commas between these. */
  readonly separators: number;
  /** The first byte among the values that is part of no value; -1 when there is none. */
  readonly strange: number;
  /** Parentheses that were opened and not closed. */
  readonly depth: number;
}

/** Splits SQL as the client `mariadb` does, by bytes: strings, quoted names, comments and DELIMITER. */
export interface StatementScanner {
  /** Takes the next bytes; their memory may be used again afterwards. */
  take(chunk: Uint8Array): void;
  /** All was given. @returns what the text ends within: a string, a comment, a statement; null where it is whole */
  end(): string | null;
  /** Whether something stands after the last comment line. */
  hasMore(): boolean;
}

export interface ScannerEvents {
  onStatement(statement: Statement): void;
  /** A comment from `--` or `#` to the end of its line, at most {@link COMMENT_BYTES} of it. */
  onComment(line: string): void;
}

/** Enough for `INSERT INTO` and a name of 64 characters, each of which is quoted. */
const HEAD_BYTES = 1024;
/** The longest comment line that is kept. */
const COMMENT_BYTES = 1024;
/** How far a decision looks ahead, with the longest delimiter; so much is kept for the next chunk. */
const AHEAD = 32;
/** More than is looked ahead, and than a piece that is kept. */
const SEAM = 256;

const [PLAIN, QUOTED, LINE_COMMENT, COMMENT, DELIMITER_LINE] = [0, 1, 2, 3, 4] as const;
type State = typeof PLAIN | typeof QUOTED | typeof LINE_COMMENT | typeof COMMENT | typeof DELIMITER_LINE;

const code = (character: string): number => character.charCodeAt(0);
const [NEWLINE, HASH, DASH, SLASH, STAR, BANG, PLUS, BIG_M, BIG_V, BIG_D, SMALL_D] = [
  ...['\n', '#', '-', '/', '*', '!', '+', 'M', 'V', 'D', 'd'].map(code),
] as [number, number, number, number, number, number, number, number, number, number, number];
const [SINGLE, DOUBLE, TICK, BACKSLASH, OPEN, CLOSE, COMMA] = [...["'", '"', '`', '\\', '(', ')', ','].map(code)] as [
  ...[number, number, number, number, number, number, number],
];

const bytesIn = (characters: string): Uint8Array => {
  const table = new Uint8Array(256);
  for (const character of characters) table[code(character)] = 1;
  return table;
};
const SPACE = bytesIn(' \t\r\n\v\f');
/** What is neither a string nor a delimiter among values: numbers, 0x…, NULL, b'…', _binary '…', signs. */
const VALUE = bytesIn(' \n,()0123456789abcdefABCDEFxXNUL+-._inrybu\'"`');
/** Bytes outside of strings that mean something; the others are passed over. */
const SPECIAL = bytesIn('\'"`#-/*(),V');

const ORDINARY = SPECIAL.map((special) => 1 - special);
const IN_VALUES = VALUE.map((allowed, byte) => allowed & (1 - (SPECIAL[byte] ?? 0)));

export function scanStatements({ onStatement, onComment }: ScannerEvents): StatementScanner {
  let kept: Buffer = Buffer.alloc(0);
  let state: State = PLAIN;
  let quote = 0;
  let [backslashes, ansiQuotes] = [true, false];
  let delimiter = Buffer.from(';');
  let line = '';
  let lineIsComment = false;
  let more = false;

  /** Where the next backslash stands, in which buffer: most values have none. */
  let nextBackslash = -1;
  let slashesOf: Buffer | null = null;

  let head: Buffer[] = [];
  let headLength = 0;
  let begun = false;
  let [rows, fields, rowFields, separators, depth, strange] = [0, 0, 0, 0, 0, -1];
  let values = false;

  function reset(): void {
    head = [];
    [headLength, begun, values] = [0, false, false];
    [rows, fields, rowFields, separators, depth, strange] = [0, 0, 0, 0, 0, -1];
  }
  function keepHead(buffer: Buffer, from: number, to: number): void {
    if (!begun || headLength >= HEAD_BYTES || to <= from) return;
    const part = Buffer.from(buffer.subarray(from, Math.min(to, from + HEAD_BYTES - headLength)));
    head.push(part);
    headLength += part.length;
  }
  function endStatement(): void {
    const whole = Buffer.concat(head);
    const mode = modeSetBy(whole.toString('latin1'));
    if (mode !== null) [backslashes, ansiQuotes] = [!mode.noBackslashes, mode.ansiQuotes];
    onStatement({ head: whole, rows, fields, separators, strange, depth });
    reset();
  }
  function endRow(): void {
    rows += 1;
    if (fields === 0) fields = rowFields;
    else if (fields !== rowFields) fields = -1;
  }
  function endLine(): void {
    if (lineIsComment) onComment(Buffer.from(line, 'latin1').toString('utf8'));
    else delimiter = Buffer.from(line.trim() || ';', 'latin1');
    line = '';
    state = PLAIN;
  }

  /** @returns where the next byte is looked at; never before `limit` unless the state changed */
  function plain(buffer: Buffer, from: number, limit: number): number {
    const first = delimiter[0] as number;
    let at = from;
    let since = from;
    while (at < limit) {
      if (begun) {
        const pass = values && depth > 0 ? IN_VALUES : ORDINARY;
        if (pass === IN_VALUES || !values)
          while (at < limit && pass[buffer[at] as number] === 1 && buffer[at] !== first) at += 1;
        if (at === limit) break;
      }
      const byte = buffer[at] as number;
      if (!begun) {
        if (SPACE[byte] === 1) {
          at += 1;
          continue;
        }
        if ((byte === BIG_D || byte === SMALL_D) && /^delimiter[ \t]/i.test(buffer.toString('latin1', at, at + 10))) {
          [state, lineIsComment, line, more] = [DELIMITER_LINE, false, '', true];
          return at + 10;
        }
      }
      if (byte === first && (delimiter.length === 1 || delimiter.equals(buffer.subarray(at, at + delimiter.length)))) {
        keepHead(buffer, since, at);
        endStatement();
        at += delimiter.length;
        since = at;
        more = true;
        continue;
      }
      if (SPECIAL[byte] === 0) {
        if (!begun) [begun, since, more] = [true, at, true];
        else if (values && strange < 0 && (depth === 0 ? SPACE : VALUE)[byte] === 0) strange = byte;
        at += 1;
        continue;
      }
      const next = buffer[at + 1] ?? 0;
      if (byte === HASH || (byte === DASH && next === DASH && (!begun || SPACE[buffer[at + 2] ?? NEWLINE] === 1))) {
        keepHead(buffer, since, at);
        [state, lineIsComment, line, more] = [LINE_COMMENT, true, '', begun];
        return at;
      }
      if (byte === SLASH && next === STAR && !runs(buffer, at + 2)) {
        keepHead(buffer, since, at);
        state = COMMENT;
        return at + 2;
      }
      if (!begun) [begun, since, more] = [true, at, true];
      if (byte === SINGLE || byte === DOUBLE || byte === TICK) {
        [state, quote] = [QUOTED, byte];
        keepHead(buffer, since, at + 1);
        return at + 1;
      }
      if (byte === OPEN) {
        depth += 1;
        if (depth === 1) rowFields = 1;
      } else if (byte === CLOSE) {
        depth -= 1;
        if (depth === 0 && values) endRow();
      } else if (byte === COMMA) {
        if (depth === 1) rowFields += 1;
        else if (depth === 0 && values) separators += 1;
      } else if (byte === BIG_V) {
        if (values) strange = byte;
        else if (depth === 0 && buffer.toString('latin1', at, at + 6) === 'VALUES') {
          values = true;
          at += 5;
        }
      } else if (values && byte !== DASH && strange < 0) strange = byte;
      at += 1;
    }
    keepHead(buffer, since, at);
    return at;
  }

  function quoted(buffer: Buffer, from: number, limit: number): number {
    const escapes = backslashes && quote !== TICK && !(quote === DOUBLE && ansiQuotes);
    let at = from;
    let end = -1;
    while (at < limit) {
      if (end < at) end = within(buffer.indexOf(quote, at), limit);
      if (escapes && (nextBackslash < at || slashesOf !== buffer)) {
        nextBackslash = within(buffer.indexOf(BACKSLASH, at), buffer.length);
        slashesOf = buffer;
      }
      if (escapes && nextBackslash < end) {
        at = nextBackslash + 2;
        continue;
      }
      at = end;
      if (end === limit) break;
      state = PLAIN;
      at += 1;
      break;
    }
    keepHead(buffer, from, at);
    return at;
  }

  function restOfLine(buffer: Buffer, from: number, limit: number): number {
    const newline = buffer.indexOf(NEWLINE, from);
    const to = newline < 0 || newline >= limit ? limit : newline;
    if (line.length < COMMENT_BYTES) line += buffer.toString('latin1', from, Math.min(to, from + COMMENT_BYTES));
    if (to === limit) return to;
    endLine();
    return to + 1;
  }

  function inComment(buffer: Buffer, from: number, limit: number): number {
    const close = buffer.indexOf('*/', from);
    if (close < 0 || close >= limit) return limit;
    state = PLAIN;
    return close + 2;
  }

  function scan(buffer: Buffer, from: number, limit: number): number {
    let at = from;
    while (at < limit) {
      if (state === PLAIN) at = plain(buffer, at, limit);
      else if (state === QUOTED) at = quoted(buffer, at, limit);
      else if (state === COMMENT) at = inComment(buffer, at, limit);
      else at = restOfLine(buffer, at, limit);
    }
    return at;
  }

  return {
    take(bytes) {
      const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      // What was kept is read with the beginning of the chunk, which need not be copied as a whole therefore.
      const seam = Buffer.concat([kept, chunk.subarray(0, SEAM)]);
      const at = seam.length > AHEAD ? scan(seam, 0, seam.length - AHEAD) : 0;
      const from = at - kept.length;
      if (chunk.length <= SEAM) kept = seam.subarray(at);
      else kept = Buffer.from(chunk.subarray(scan(chunk, from, chunk.length - AHEAD)));
      slashesOf = null;
    },
    end() {
      scan(kept, 0, kept.length);
      kept = Buffer.alloc(0);
      if (state === LINE_COMMENT || state === DELIMITER_LINE) endLine();
      if (state === QUOTED) return quote === TICK ? 'a name' : 'a string';
      if (state === COMMENT) return 'a comment';
      return begun ? 'a statement' : null;
    },
    hasMore: () => more,
  };
}

const within = (found: number, limit: number): number => (found < 0 || found > limit ? limit : found);

/** What a conditional comment holds is run, so it is read as if it were none: a version's comment, a hint, MariaDB's own. */
const runs = (buffer: Buffer, at: number): boolean =>
  buffer[at] === BANG || buffer[at] === PLUS || (buffer[at] === BIG_M && buffer[at + 1] === BANG);

/** `SET sql_mode = '…'` says how strings are read from here on. Null where the statement sets none. A mode that is put
 *  back from a variable is the client's own, which has neither. */
function modeSetBy(statement: string): { readonly noBackslashes: boolean; readonly ansiQuotes: boolean } | null {
  const found = /^(?:\/\*!\d+ )?SET\b[^;]*?\bsql_mode\s*=\s*('[^']*'|@\w+)/i.exec(statement);
  if (found === null) return null;
  const modes = (found[1] ?? '').replaceAll("'", '').toUpperCase().split(',');
  return {
    noBackslashes: modes.includes('NO_BACKSLASH_ESCAPES'),
    ansiQuotes: modes.includes('ANSI_QUOTES') || modes.includes('ANSI'),
  };
}
