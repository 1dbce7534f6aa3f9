import { isBelow } from './tree-path.ts';

/** Names a unit as plain data: it is stored in the journal, from which the unit is opened again after a crash. */
export type UnitReference =
  /** `user`: null for the system's manager, true for that of the account that Holdfast has on the host, else the account
   *  whose own manager has the unit. */
  | { readonly kind: 'systemd'; readonly host: string; readonly unit: string; readonly user: string | true | null }
  /** `id`: of the container that was found by this name, which it may lose while it is down. */
  | { readonly kind: 'container'; readonly host: string; readonly container: string; readonly id?: string }
  /** `file`: absolute path of the compose file; all containers of the project. */
  | { readonly kind: 'compose'; readonly host: string; readonly file: string };

/** For people and records: `jellyfin.service`, `container traefik`, `compose /opt/immich/compose.yaml`. */
export function unitNameOf(reference: UnitReference): string {
  if (reference.kind === 'systemd') return reference.unit;
  if (reference.kind === 'container') return `container ${reference.container}`;
  return `compose ${reference.file}`;
}

/** Whether a unit is declared by a file that is this path, or lies in it: a compose file is part of the data then. */
export const isDeclaredIn = (path: string, reference: UnitReference): boolean =>
  reference.kind === 'compose' && isBelow(reference.file, path);

/** The command by which a person has a unit's own systemd do something: `systemctl --user start wiki.service`. */
export function systemctlCommand(verb: string, { unit, user }: Extract<UnitReference, { kind: 'systemd' }>): string {
  if (user === null) return `systemctl ${verb} ${unit}`;
  const account = user === true ? '' : `--machine=${user}@ `;
  return `systemctl --user ${account}${verb} ${unit}`;
}

/** A row of the configuration, as its kind's schema left it. */
type UnitRow =
  | { readonly systemd: string; readonly user?: boolean | string }
  | { readonly container: string }
  | { readonly compose: string };

/** The units that a service or a subvolume declares, in their order.
 *  @param host where they are
 *  @param rows checked by the schemas of their kinds */
export const unitReferencesOf = (rows: readonly unknown[], host: string): readonly UnitReference[] =>
  (rows as readonly UnitRow[]).map((row) => {
    if ('systemd' in row) return { kind: 'systemd', host, unit: row.systemd, user: row.user || null };
    if ('container' in row) return { kind: 'container', host, container: row.container };
    if ('compose' in row) return { kind: 'compose', host, file: row.compose };
    throw new TypeError('A unit has passed its schema and is of no kind.');
  });
