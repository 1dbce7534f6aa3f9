import { HoldfastError } from '../../../domain/errors.ts';

/** journalctl(1), --output=json: an object a line. A field that is no UTF-8 is a list of bytes, one that came twice a
 *  list of texts, one that is too long null. */
interface Entry {
  readonly __CURSOR?: unknown;
  readonly MESSAGE?: unknown;
  readonly SYSLOG_IDENTIFIER?: unknown;
  readonly _SYSTEMD_UNIT?: unknown;
  readonly UNIT?: unknown;
}

const entries = (stdout: string): readonly Entry[] => {
  try {
    return stdout
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line) as Entry);
  } catch (cause) {
    throw new HoldfastError('ProcessFailed', 'journalctl printed something else than JSON.', 'journalctl', { cause });
  }
};

/** Null when there is no entry that this account may read. */
export function parseCursor(stdout: string): string | null {
  const cursor = entries(stdout).at(-1)?.__CURSOR;
  return typeof cursor === 'string' ? cursor : null;
}

/** Each error in one line: who, and what. */
export const parseErrors = (stdout: string): readonly string[] =>
  entries(stdout).map(({ MESSAGE, SYSLOG_IDENTIFIER, _SYSTEMD_UNIT, UNIT }) => {
    const who = [UNIT, _SYSTEMD_UNIT, SYSLOG_IDENTIFIER].find((name) => typeof name === 'string') ?? 'unknown';
    return `${who}: ${oneLine(textOf(MESSAGE))}`;
  });

function textOf(field: unknown): string {
  if (typeof field === 'string') return field;
  if (!Array.isArray(field)) return '';
  if (field.every((byte) => typeof byte === 'number')) return Buffer.from(field).toString('utf8');
  return textOf(field[0]);
}

const oneLine = (text: string): string => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a log line must not move the cursor of a terminal
  const plain = text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return plain.length > 160 ? `${plain.slice(0, 159)}…` : plain;
};
