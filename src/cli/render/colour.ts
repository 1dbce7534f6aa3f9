import { styleText } from 'node:util';

const paint = (style: 'green' | 'yellow' | 'red' | 'dim' | 'bold'): ((text: string) => string) => {
  const styled = (text: string): string => styleText(style, text, { stream: process.stdout, validateStream: true });
  /** What stands before and after. Asking the stream for each cell was a tenth of a long list. */
  let around: readonly string[] | null = null;
  return (text) => {
    if (text === '') return '';
    if (text.includes('\u001b')) return styled(text); // colours in colours
    around ??= styled('\0').split('\0');
    return `${around[0]}${text}${around[1]}`;
  };
};

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
