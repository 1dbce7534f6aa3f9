import * as z from 'zod';

export const systemdSchema = z.strictObject({
  systemd: z
    .string()
    .min(1, 'Must not be empty.')
    .regex(/^[^\s*?[\]/]*$/, 'Write the name of one unit: jellyfin.service')
    .describe('A systemd unit'),
  user: z
    .union([z.boolean(), z.string().min(1, 'Must not be empty.')])
    .describe("true: the caller's own manager; a name: that account's")
    .exactOptional(),
});
