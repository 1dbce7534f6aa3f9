import * as z from 'zod';
import { drillSetting, hostAndPortSetting } from '../../../domain/settings.ts';

/** `{ tcp: 10.0.0.14:5432 }`. */
export const tcpSchema = z.strictObject({
  tcp: hostAndPortSetting.describe('A port that takes connections'),
  drill: drillSetting.exactOptional(),
});

export type TcpSettings = z.infer<typeof tcpSchema>;
