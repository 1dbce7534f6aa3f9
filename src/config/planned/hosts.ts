import * as z from 'zod';
import { pathSetting, portSetting } from '../../domain/settings.ts';
import { planned } from './planned.ts';

/** A host over SSH. `local` always exists. */
export const hostSchema = planned('hosts over SSH', 'A machine that is reached over SSH', () =>
  z.strictObject({
    ssh: z
      .string()
      .regex(/^(?:[^\s@-][^\s@]*@)?[^\s@-][^\s@]*$/, 'Write where to connect: root@10.0.0.14')
      .describe('USER@HOST'),
    port: portSetting.exactOptional(),
    identity: pathSetting.describe('The private key').exactOptional(),
    knownHosts: pathSetting.describe('Pinned host keys').exactOptional(),
  }),
);
