import { styleText } from 'node:util';

const paint =
  (style: 'green' | 'yellow' | 'red' | 'dim' | 'bold') =>
  (text: string): string =>
    text === '' ? '' : styleText(style, text, { stream: process.stdout, validateStream: true });

export const [good, doubtful, bad, faint, strong] = [
  paint('green'),
  paint('yellow'),
  paint('red'),
  paint('dim'),
  paint('bold'),
] as const;

const BY_WORD: Readonly<Record<string, (text: string) => string>> = {
  passed: good,
  ok: good,
  sound: good,
  restored: good,
  readable: good,
  partial: doubtful,
  warning: doubtful,
  inconclusive: doubtful,
  failed: bad,
};

/** An outcome, a piece of evidence or a status in its colour; anything else as it is. */
export const coloured = (word: string): string => (BY_WORD[word] ?? ((text: string) => text))(word);
