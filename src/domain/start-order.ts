import { NEEDS_LABEL, PROJECT_LABEL, SERVICE_LABEL } from './compose-labels.ts';

type Labels = Readonly<Record<string, string>>;

/** What has to be started before something, by name. */
export type Needs = ReadonlyMap<string, ReadonlySet<string>>;

/** Services of its project that a container needs, in whatever way its file said so: `db:service_healthy:false,cache`. Null
 *  where its label does not tell. */
export function neededBy(labels: Labels): ReadonlySet<string> | null {
  const told = labels[NEEDS_LABEL];
  if (told === undefined) return null;
  const names = told.split(',').map((one) => one.split(':')[0] ?? '');
  return new Set(names.filter((name) => name !== ''));
}

/** The first made first, but none before what it needs: a database that was made anew keeps its place. */
export function inStartOrder<Row extends { readonly id: string; readonly createdAt: string; readonly labels: Labels }>(
  containers: readonly Row[],
): readonly Row[] {
  const key = ({ id, labels }: Row): string =>
    labels[PROJECT_LABEL] === undefined ? id : `${labels[PROJECT_LABEL]}/${labels[SERVICE_LABEL]}`;
  const needs = new Map(
    containers.map((row) => [
      key(row),
      new Set([...(neededBy(row.labels) ?? [])].map((name) => `${row.labels[PROJECT_LABEL]}/${name}`)),
    ]),
  );
  const made = containers.toSorted((left, right) => (left.createdAt < right.createdAt ? -1 : 1));
  return inOrder(made, key, needs);
}

/** Rows in the order in which they are started: what others need comes first, else as they were. */
export function inOrder<Row>(rows: readonly Row[], nameOf: (row: Row) => string, needs: Needs): readonly Row[] {
  const ordered = new Set<string>();
  const begun = new Set<string>();
  function visit(name: string): void {
    if (begun.has(name)) return; // Compose refuses circles; one would end here
    begun.add(name);
    for (const need of needs.get(name) ?? []) visit(need);
    ordered.add(name);
  }
  for (const row of rows) visit(nameOf(row));
  return [...ordered].flatMap((name) => rows.filter((row) => nameOf(row) === name));
}
