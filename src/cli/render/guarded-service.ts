import { formatDuration } from '../../domain/duration.ts';
import type { GuardServiceReport } from '../../operations/guard-service.ts';
import type { ServiceRollback, ServiceRollbackPlan } from '../../operations/rollback-service.ts';
import type { ServicePoint, TreeCopy } from '../../operations/service-record.ts';
import { goesOn } from '../../operations/serving.ts';
import { coloured } from './colour.ts';
import { totalsForPeople } from './diff.ts';
import { isUntouched, OUTCOMES } from './guard.ts';
import { timeForPeople } from './point.ts';
import { keptAsJson } from './restore.ts';
import { printable } from './table.ts';
import { validationAsJson, validationForPeople } from './validation.ts';

const nameOf = (copy: TreeCopy): string => ('file' in copy ? copy.file : copy.name);

/** What a point of a service consists of. */
const servicePointAsJson = ({ id, repository, trees, images }: ServicePoint): object => ({
  id,
  repository,
  snapshots: trees.map((copy) => ({ source: copy.source, path: copy.path, snapshot_name: nameOf(copy) })),
  images: images.flatMap(({ images: containers }) =>
    Object.entries(containers).map(([container, { identity, reference }]) => ({ container, identity, reference })),
  ),
});

export const guardedServiceAsJson = (report: GuardServiceReport): object => ({
  service: report.service,
  operation: report.operation,
  decision: report.decision,
  point: report.point === null ? null : servicePointAsJson(report.point),
  outcome: report.outcome,
  commandExit: report.commandExit,
  commandError: report.commandError,
  rolledBack: report.rolledBack,
  validation: report.validation === null ? null : validationAsJson(report.validation),
  rollback: report.rollback === null ? null : serviceRollbackAsJson(report.rollback),
  rollbackError: report.rollbackError,
  rollbackHint: report.rollbackHint,
  exitCode: report.exitCode,
  durationMs: report.durationMs,
});

export function guardedServiceForPeople(report: GuardServiceReport): string {
  const {
    service,
    operation,
    outcome,
    point,
    commandExit,
    commandError,
    validation,
    rollback,
    rollbackError,
    rollbackHint,
  } = report;
  return [
    ...(commandError === null ? [] : [printable(commandError)]),
    ...(commandExit === null || commandExit === 0 ? [] : [`the command ended with ${commandExit}`]),
    ...(validation === null ? [] : validationForPeople(validation)),
    ...(rollback === null ? [] : [serviceRollbackForPeople(rollback)]),
    ...(rollbackError === null ? [] : [`the service could not be taken back: ${printable(rollbackError)}`]),
    ...(rollbackHint === null ? [] : [`  next: ${printable(rollbackHint)}`]),
    `guard ${printable(operation)}: ${OUTCOMES[outcome]}, ${formatDuration(report.durationMs / 1000)}`,
    ...(point === null ? [`  why: ${printable(report.decision.reason)}`] : pointForPeople(point)),
    ...(isUntouched(report) && point !== null
      ? [`  back: holdfast rollback --service ${service} --point ${point.id}`]
      : []),
  ].join('\n');
}

function pointForPeople({ id, repository, trees, images }: ServicePoint): readonly string[] {
  const containers = images.reduce((sum, unit) => sum + Object.keys(unit.images).length, 0);
  return [
    `  point: ${id}`,
    ...trees.map((copy) => `    snapshot of ${printable(copy.path)}: ${printable(nameOf(copy))}`),
    ...(repository === null ? [] : [`    the rest in ${repository}`]),
    ...(containers === 0 ? [] : [`    images of containers: ${containers}`]),
  ];
}

export const serviceRollbackAsJson = (report: ServiceRollback): object => ({
  outcome: report.outcome,
  point: report.point,
  kept: report.kept.map(keptAsJson),
  written: report.written,
  safetyPoint: report.safetyPoint,
  problem: report.problem,
  warnings: report.warnings,
  validation: report.validation === null ? null : validationAsJson(report.validation),
  durationMs: report.durationMs,
});

export const serviceRollbackForPeople = (report: ServiceRollback): string =>
  [
    ...report.kept.map(
      ({ original, path, kind }) =>
        `${printable(original)} is back; the state before is ${kind === 'database' ? 'the database ' : ''}${printable(path)}`,
    ),
    ...(report.validation === null ? [] : validationForPeople(report.validation)),
    ...report.warnings.map(printable),
    ...(report.problem === null ? [] : [printable(report.problem)]),
    `rollback: ${coloured(report.outcome)} in ${formatDuration(report.durationMs / 1000)}`,
  ].join('\n');

export const servicePlanAsJson = ({ point, plan, units, images, written }: ServiceRollbackPlan): object => ({
  dryRun: true,
  service: point.service,
  point: servicePointAsJson(point),
  replaced: [
    ...plan.exchanges.map(({ path, kept, present, choice }) => ({
      path,
      from: choice.name,
      kept: present === null ? null : kept,
    })),
    ...plan.databases.map(({ database, kept, present, choice }) => ({
      database,
      from: choice.name,
      kept: present ? kept : null,
    })),
  ],
  written,
  units: units.map(({ unit, running }) => ({ name: unit.name, running })),
  images: images.map(({ unit, container, image }) => ({ unit: unit.name, container, image })),
});

/** What stops, what is replaced and where the present state goes, and which images run again. */
export function servicePreview(found: ServiceRollbackPlan): string {
  const { point, plan, units, images, written, madeAt, serving } = found;
  const stops = new Set(plan.units.filter((unit) => !goesOn(unit, serving)));
  return [
    `takes ${printable(point.service)} back to ${point.id} of ${timeForPeople(madeAt)}`,
    ...units
      .filter(({ unit }) => stops.has(unit))
      .map(({ unit, running }) => (running ? `stops ${unit.name}` : `${unit.name} is down and stays down`)),
    ...plan.exchanges.flatMap(({ path, kept, present, choice, way }) => [
      `replaces ${printable(path)} by ${printable(choice.name)}`,
      ...(present === null || way === 'nested' ? [] : [`  the present state is kept: ${printable(kept)}`]),
    ]),
    ...plan.applied.map(({ choice }) => `makes what is missing of ${printable(choice.name)}`),
    ...plan.databases.flatMap(({ database, kept, present, choice }) => [
      `replaces the database ${printable(database)} by ${printable(choice.name)}`,
      ...(present ? [`  the present state is kept: the database ${printable(kept)}`] : []),
    ]),
    ...written.map(({ path, totals }) => `  written since in ${printable(path)}: ${totalsForPeople(totals)}`),
    ...images.map(({ container, image }) => `makes ${printable(container)} anew of ${printable(image)} of then`),
  ].join('\n');
}
