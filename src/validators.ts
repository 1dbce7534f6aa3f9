import { existsSync } from 'node:fs';
import { OWN_VALIDATORS, VALIDATORS } from './adapters/registry.ts';
import type { ServiceDefinition, SourceDefinition } from './domain/definitions.ts';
import { HoldfastError } from './domain/errors.ts';
import type { Host } from './ports/host.ts';
import type { Source } from './ports/source.ts';
import type { Unit } from './ports/unit.ts';
import type { Validator } from './ports/validator.ts';
import type { EngineEnvironment } from './process/container-engine.ts';

/** What is checked around a change, a rollback or a restore. */
interface CheckedSubject {
  readonly units: readonly Unit[];
  /** Declared checks, as their schemas left them. */
  readonly checks: readonly unknown[];
  /** What the program of a check is told: HOLDFAST_SERVICE, HOLDFAST_SUBVOLUME, where the engine of containers is. */
  readonly environment: Readonly<Record<string, string>>;
  /** A source of the service. @throws ConfigurationInvalid where there is none of that name */
  source(name: string): Promise<Source>;
}

/** Validators of each unit and each declared check, in their order, each once. Nothing is looked at yet. */
async function openValidators(subject: CheckedSubject, host: Host): Promise<readonly Validator[]> {
  const { units, checks, environment, source } = subject;
  const unitValidator = units.length === 0 ? null : await OWN_VALIDATORS.unit();
  const declared = await Promise.all(
    checks.map(async (settings) => {
      const row = [...VALIDATORS.values()].find(({ kind }) => Object.hasOwn(Object(settings), kind));
      if (row === undefined) throw new TypeError('A check has passed its schema and is of no kind.');
      return await row.open(settings, { host, environment, source });
    }),
  );
  return [...units.flatMap((unit) => unitValidator?.(unit) ?? []), ...declared];
}

/** Validators of the machine as a whole: failed units and errors in the journal. None where systemd does not run, as in
 *  most containers.
 *  @param host this machine: another one's validators come with its units */
export async function machineValidators(host: Host): Promise<readonly Validator[]> {
  // sd_booted(3)
  if (!host.capabilities.localPaths || !existsSync('/run/systemd/system')) return [];
  const [failed, journal] = await Promise.all([OWN_VALIDATORS.systemdFailed(), OWN_VALIDATORS.journal()]);
  return [failed(host), journal(host)];
}

/** Validators of what a subvolume declares. It has no sources that could be asked. */
export const subvolumeValidators = (
  subvolume: string,
  units: readonly Unit[],
  checks: readonly unknown[],
  host: Host,
  engine: EngineEnvironment,
): Promise<readonly Validator[]> =>
  openValidators(
    {
      units,
      checks,
      environment: { ...engine, HOLDFAST_SUBVOLUME: subvolume },
      source: async (name) => {
        const words = `The subvolume ${subvolume} has no sources, so ${name} cannot be asked.`;
        throw new HoldfastError('ConfigurationInvalid', words, name, {
          hint: 'Check it by other means: http, tcp or command',
        });
      },
    },
    host,
  );

/** The declared checks of a service. @param source as the context opens one */
export const serviceChecks = async (
  service: ServiceDefinition,
  host: Host,
  engine: EngineEnvironment,
  source: (service: ServiceDefinition, source: SourceDefinition) => Promise<Source>,
): Promise<readonly Validator[]> =>
  openValidators(
    {
      units: [],
      checks: service.checks,
      environment: { ...engine, HOLDFAST_SERVICE: service.name },
      source: async (name) => {
        const definition = service.sources.find((one) => one.name === name);
        if (definition !== undefined) return await source(service, definition);
        throw new HoldfastError('ConfigurationInvalid', `${service.name} has no source ${name}.`, name);
      },
    },
    host,
  );
