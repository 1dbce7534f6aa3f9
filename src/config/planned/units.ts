import * as z from 'zod';
import { nameSetting } from '../../domain/settings.ts';
import { hostAndPort, planned, webAddress } from './planned.ts';

const text = z.string().min(1, 'Must not be empty.');
const drill = z.boolean().describe('false leaves the check out of drills').exactOptional();

const check = z.union([
  z.strictObject({
    http: webAddress,
    status: z.int().min(100).max(599).describe('200 to 399 when left out').exactOptional(),
    drill,
  }),
  z.strictObject({ tcp: hostAndPort, drill }),
  z.strictObject({ command: z.array(text).min(1, 'Write the program and its arguments.'), drill }),
  z.strictObject({
    sql: z.strictObject({ source: nameSetting.describe('A source of this service'), query: text }),
    drill,
  }),
]);

/** How it is seen that a service works. */
export const checksSchema = planned('checks', 'How it is seen that the service works', () => z.array(check));
