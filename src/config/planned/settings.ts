import * as z from 'zod';
import { CLOCK_PATTERN } from '../../domain/schedule.ts';
import {
  durationSetting,
  nameSetting,
  pathSetting,
  roles,
  secretSetting,
  webAddressSetting,
} from '../../domain/settings.ts';
import { planned } from './planned.ts';

const text = z.string().min(1, 'Must not be empty.');
const clock = z.string().regex(CLOCK_PATTERN, 'Write a time of the day: 03:00');

export const serveSchema = planned('serve', 'The daemon', () =>
  z.strictObject({
    listen: z
      .string()
      .regex(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):\d{1,5}$/, 'Write an address: 127.0.0.1:7878')
      .exactOptional(),
    token: secretSetting.exactOptional(),
    hosts: z.array(text).describe('Names under which the server may be asked').exactOptional(),
  }),
);

export const activitySchema = planned('activity', 'Where the load is read from; /proc when left out', () =>
  z.strictObject({ prometheus: z.strictObject({ url: webAddressSetting, query: text }).exactOptional() }),
);

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
export const maintenanceSchema = planned('maintenance', 'When others work on this machine', () =>
  z.array(z.strictObject({ days: z.array(z.enum(DAYS)).min(1).exactOptional(), from: clock, to: clock })),
);

export const forecastSchema = planned('forecast', 'Forecasts', () =>
  z.strictObject({ warn: durationSetting.describe('health warns when a crossing is nearer').exactOptional() }),
);

const OUTCOMES = ['passed', 'failed', 'partial', 'inconclusive', 'held', 'overdue'] as const;
const common = {
  on: z
    .array(z.enum(OUTCOMES))
    .describe('Which outcomes; failed, partial, inconclusive and held when left out')
    .exactOptional(),
  plans: z.array(nameSetting).describe('Of which plans; all when left out').exactOptional(),
};
const hook = z.union([
  webAddressSetting.describe('An address').register(roles, { token: true }),
  z.strictObject({ url: secretSetting }),
]);
const notification = z.union([
  z.strictObject({
    smtp: z.strictObject({
      url: z.union([
        z.string().regex(/^smtps?:\/\/\S+$/, 'Write an address: smtps://user@mail:465'),
        z.strictObject({ url: secretSetting }),
      ]),
      password: secretSetting.exactOptional(),
      from: text,
      to: z.array(text).min(1, 'Name at least one receiver.'),
    }),
    ...common,
  }),
  z.strictObject({ healthchecks: hook, ...common }),
  z.strictObject({ uptimeKuma: hook, ...common }),
  z.strictObject({ ntfy: hook, ...common }),
  z.strictObject({ slack: hook, ...common }),
  z.strictObject({ discord: hook, ...common }),
  z.strictObject({ webhook: hook, ...common }),
  z.strictObject({
    telegram: z.strictObject({
      token: secretSetting,
      chat: z.union([text, z.int()]),
      api: webAddressSetting.exactOptional(),
    }),
    ...common,
  }),
]);
export const notificationsSchema = planned('notifications', 'Who hears of runs', () => z.array(notification));

export const stagingSchema = planned('staging', 'Where trees of SSH hosts are mirrored', () => pathSetting);

export const metricsSchema = planned('metrics', 'Where metrics go', () =>
  z.strictObject({
    textfile: pathSetting.describe("A file for node_exporter's textfile collector").exactOptional(),
    pushgateway: webAddressSetting.exactOptional(),
  }),
);

/** `sqlite:` and `postgres:` as one of the two is not built yet. */
export const plannedCatalog = planned('a catalog on PostgreSQL', 'A catalog that several machines share', () =>
  z.union([
    z.string().regex(/^postgres(?:ql)?:\/\/\S+$/, 'Write sqlite:PATH or postgres://…'),
    z.strictObject({ url: secretSetting }),
  ]),
);
