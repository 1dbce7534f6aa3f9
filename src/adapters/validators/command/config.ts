import * as z from 'zod';
import { drillSetting } from '../../../domain/settings.ts';

/** `{ command: [/usr/local/bin/check-mail, --quick] }`. */
export const commandSchema = z.strictObject({
  command: z
    .array(z.string().min(1, 'Must not be empty.'))
    .min(1, 'Write the program and its arguments.')
    .describe('A program and its arguments; no shell reads them'),
  drill: drillSetting.exactOptional(),
});

export type CommandSettings = z.infer<typeof commandSchema>;
