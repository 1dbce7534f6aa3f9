import * as z from 'zod';
import { UNITS } from '../adapters/registry.ts';

type Options = readonly [z.ZodType, ...z.ZodType[]];

const unit = z.union([...UNITS.values()].map(({ schema }) => schema) as unknown as Options);

/** What is stopped and started around an operation. */
export const unitsSchema = z.array(unit).describe('What is stopped, and started in this order');
