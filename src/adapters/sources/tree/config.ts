import * as z from 'zod';
import { isPattern } from '../../../domain/exclude.ts';

/** One pattern of what a tree leaves out: domain/exclude.ts. */
export const patternSetting = z
  .string()
  .regex(/^[^!]/, 'A pattern is not empty and has no negation. Write \\! for a name that begins so.')
  .refine(isPattern, 'A pattern needs a name in it.');
