import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../domain/duration.ts';
import { messageOf } from '../domain/errors.ts';
import { parseSize } from '../domain/size.ts';

/** Options that may be given again gather their values, each once. */
export const gathered = (value: string, before: readonly string[] = []): string[] => [...new Set([...before, value])];

/** Runs a parser of the domain for an option's value, so that what is wrong names the option. */
const parsedBy =
  <Value>(parse: (text: string) => Value) =>
  (text: string): Value => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(messageOf(error));
    }
  };

/** `90s`, `36h`: seconds. */
export const duration = parsedBy(parseDuration);

/** `500MiB`, `10GiB`: bytes. */
export const size = parsedBy(parseSize);

/** A whole number above zero. */
export function count(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError(`"${text}" is no whole number above zero.`);
  return Number(text);
}
