import { HoldfastError } from './domain/errors.ts';

/** What the configuration may ask for, and no adapter of this version does. */
export const notBuilt = (what: string, subject: string): HoldfastError =>
  new HoldfastError('Unsupported', `This version has no ${what} yet.`, subject);
