import { HoldfastError } from '../../../domain/errors.ts';

/** What a source or its scratch answers to SQL that it does not understand. @returns the error: Unsupported
 *  @param what as people call it: `a Redis`
 *  @param instead kinds of checks that it can be asked by: `http or command` */
export const noSql = (source: string, what: string, instead: string): HoldfastError =>
  new HoldfastError('Unsupported', `${source} is ${what}, which no SQL can ask.`, source, {
    hint: `Use a check by ${instead}`,
  });
