import { stripVTControlCharacters } from 'node:util';

export interface Column {
  readonly title: string;
  readonly align?: 'right';
}

/** Names come from file systems and manifests: what would move the cursor or start a new line is shown as `\xHH`. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);

const widthOf = (text: string): number =>
  /^[ -~]*$/.test(text) ? text.length : [...stripVTControlCharacters(text)].length;

/** Rows under their titles, two spaces between columns, no trailing spaces. Cells may hold colours. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ title }) => title), ...rows];
  const taken = lines.map((line) => line.map(widthOf));
  const widths = columns.map((_, index) => taken.reduce((widest, line) => Math.max(widest, line[index] ?? 0), 0));
  const padded = lines.map((line, row) =>
    columns.map(({ align }, index) => {
      const cell = line[index] ?? '';
      const gap = ' '.repeat((widths[index] ?? 0) - (taken[row]?.[index] ?? 0));
      return align === 'right' ? gap + cell : cell + gap;
    }),
  );
  return padded.map((cells) => cells.join('  ').trimEnd()).join('\n');
}
