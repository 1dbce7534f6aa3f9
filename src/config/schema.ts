import * as z from 'zod';
import { SOURCES } from '../adapters/registry.ts';
import { archiveSchema } from '../adapters/repositories/archive/config.ts';
import { poolSchema, subvolumeSetting } from '../adapters/snapshotters/pool/config.ts';
import { STRETCH_PATTERN, scheduleProblem } from '../domain/schedule.ts';
import { durationSetting, nameSetting, percentageSetting } from '../domain/settings.ts';
import { checksSchema } from './checks.ts';
import { guardSchema } from './guard-schema.ts';
import { hostSchema } from './planned/hosts.ts';
import { planned } from './planned/planned.ts';
import { place, plannedEngines } from './planned/repositories.ts';
import {
  activitySchema,
  forecastSchema,
  maintenanceSchema,
  metricsSchema,
  notificationsSchema,
  plannedCatalog,
  serveSchema,
  stagingSchema,
} from './planned/settings.ts';
import { plannedSources } from './planned/sources.ts';
import { unitsSchema } from './units.ts';

type Options = readonly [z.ZodType, ...z.ZodType[]];

const repository = z.union([
  archiveSchema.safeExtend(place).describe('A folder of files that tar, zstd, gzip, age and gpg open'),
  plannedEngines.restic,
  plannedEngines.kopia,
]);

const source = z.union([
  ...(await Promise.all([...SOURCES.values()].map(({ schema }) => schema()))),
  ...Object.values(plannedSources),
] as unknown as Options);

const service = z.strictObject({
  host: nameSetting.describe('Where its sources are; local when left out').exactOptional(),
  tier: z.enum(['critical', 'important', 'replaceable']).describe('How much it matters').exactOptional(),
  objectives: z
    .strictObject({
      rpo: durationSetting.describe('How much work may be lost').exactOptional(),
      rto: durationSetting.describe('How long it may be away').exactOptional(),
    })
    .exactOptional(),
  units: unitsSchema.exactOptional(),
  stopDuring: z
    .strictObject({
      backup: z
        .union([z.boolean(), z.literal('sharing')])
        .describe('sharing: also the containers that share its volumes')
        .exactOptional(),
      restore: z.boolean().exactOptional(),
    })
    .describe('When its units are stopped')
    .exactOptional(),
  sources: z.record(nameSetting, source).describe('What is captured, each under a name'),
  checks: checksSchema.exactOptional(),
  dependsOn: z.array(nameSetting).describe('Services that are restored before this one').exactOptional(),
});

const pool = poolSchema(unitsSchema, checksSchema);

const plannedSchedule = (what: string): z.ZodType<string | { quiet: string; between?: string }> =>
  planned(what, "Cron ('0 2 * * *'), words ('Sun 04:00', 'first Sun 06:00') or { quiet, between }", () =>
    z.union([
      z.string().superRefine((text, context) => {
        const problem = scheduleProblem(text);
        if (problem !== null) context.addIssue({ code: 'custom', message: problem });
      }),
      z.strictObject({
        quiet: durationSetting.describe('How long the job takes: the quietest such stretch is taken'),
        between: z.string().regex(STRETCH_PATTERN, 'Write a stretch of the day: 00:00-06:00').exactOptional(),
      }),
    ]),
  );

const count = z.int().min(0, 'A number of points is 0 or more.').exactOptional();
const retention = z.strictObject({
  latest: count,
  hourly: count,
  daily: count,
  weekly: count,
  monthly: count,
  yearly: count,
  within: durationSetting.describe('All of so long before the newest').exactOptional(),
  leeway: durationSetting.describe('How much older than `within` says a point may be').exactOptional(),
});

const plan = z
  .strictObject({
    services: z
      .union([z.literal('*'), z.array(nameSetting).min(1, 'Name at least one service.')])
      .describe("Names, or '*' for all")
      .exactOptional(),
    subvolumes: planned('plans over subvolumes', 'Subvolumes of which snapshots are made', () =>
      z.array(subvolumeSetting).min(1, 'Name at least one subvolume.'),
    ).exactOptional(),
    repositories: z
      .array(nameSetting)
      .min(1, 'Name at least one repository.')
      .describe('In this order; the second is filled from what the first has')
      .exactOptional(),
    schedule: plannedSchedule('schedules').exactOptional(),
    timezone: z
      .string()
      .refine(isTimezone, 'Write a time zone by its IANA name: UTC, Europe/Berlin')
      .describe("IANA name; the machine's when left out")
      .exactOptional(),
    jitter: planned('schedules', 'The start is put off by up to this', () => durationSetting).exactOptional(),
    retention: retention.describe('How many points are kept; all when left out').exactOptional(),
    verify: z
      .union([
        z.literal(false),
        z.strictObject({
          level: z.enum(['readable', 'sound']).describe('How far to look').exactOptional(),
          schedule: plannedSchedule('schedules').exactOptional(),
        }),
      ])
      .exactOptional(),
    drill: planned('drills by a plan', 'Restores on scratch instances', () =>
      z.union([z.literal(false), z.strictObject({ schedule: plannedSchedule('schedules').exactOptional() })]),
    ).exactOptional(),
    anomaly: z
      .union([
        z.literal(false),
        z.strictObject({
          shrink: percentageSetting.describe('A smaller one is held; 50% when left out').exactOptional(),
          grow: percentageSetting.describe('A larger one is held; 300% when left out').exactOptional(),
        }),
      ])
      .describe('When a point is held as suspicious; false for never')
      .exactOptional(),
    send: planned('sending snapshots', 'Snapshots that go to a repository, too', () =>
      z.strictObject({ subvolumes: z.array(subvolumeSetting).min(1), repositories: z.array(nameSetting).min(1) }),
    ).exactOptional(),
    require: planned('copies in health', 'Short of it is a warning of health', () =>
      z.literal('3-2-1'),
    ).exactOptional(),
  })
  .refine(({ services, subvolumes }) => (services === undefined) !== (subvolumes === undefined), {
    message: 'A plan has either services or subvolumes.',
  })
  .refine(({ services, repositories }) => services === undefined || repositories !== undefined, {
    message: 'A plan over services needs repositories.',
  });

function isTimezone(name: string): boolean {
  try {
    return !/^[+-]/.test(name) && Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name) !== null;
  } catch {
    return false; // RangeError: no such zone in this Node's ICU data
  }
}

const catalog = z.union([z.string().regex(/^sqlite:./, 'Write sqlite:PATH or postgres://…'), plannedCatalog]);

/** holdfast.yaml as a whole, after conf.d was merged (interface, section 1). Values stay as they are written: durations,
 *  sizes and shares are strings. */
export const configurationSchema = z.strictObject({
  version: z.literal(1).describe('The version of this format'),
  hosts: z.record(nameSetting, hostSchema).exactOptional(),
  repositories: z.record(nameSetting, repository).describe('Where recovery points are kept').exactOptional(),
  pools: z.record(nameSetting, pool).describe('Where instant snapshots live').exactOptional(),
  services: z.record(nameSetting, service).describe('What is wanted back as one thing').exactOptional(),
  plans: z.record(nameSetting, plan).describe('Which services go to which repositories').exactOptional(),
  guard: guardSchema.exactOptional(),
  serve: serveSchema.exactOptional(),
  activity: activitySchema.exactOptional(),
  maintenance: maintenanceSchema.exactOptional(),
  forecast: forecastSchema.exactOptional(),
  notifications: notificationsSchema.exactOptional(),
  staging: stagingSchema.exactOptional(),
  metrics: metricsSchema.exactOptional(),
  catalog: catalog.describe('sqlite:PATH, or postgres://… where machines share one').exactOptional(),
});

export type Configuration = z.infer<typeof configurationSchema>;
export type PlanConfiguration = z.infer<typeof plan>;
export type ServiceConfiguration = z.infer<typeof service>;
export type PoolConfiguration = z.infer<typeof pool>;
export type RepositoryConfiguration = z.infer<typeof repository>;

/** The JSON Schema (draft 2020-12) of the configuration, for editors. */
export const configurationJsonSchema = (): object => ({
  title: 'Holdfast configuration',
  ...z.toJSONSchema(configurationSchema, { io: 'input' }),
});
