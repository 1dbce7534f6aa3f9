import * as z from 'zod';
import { UNITS } from '../adapters/registry.ts';

type Options = readonly [z.ZodType, ...z.ZodType[]];

const schemas = await Promise.all([...UNITS.values()].map(({ schema }) => schema()));
const unit = z.union(schemas as unknown as Options);

/** What is stopped and started around an operation. */
export const unitsSchema = z.array(unit).describe('What is stopped, and started in this order');
