/** Names a unit as plain data: it is stored in the journal, from which the unit is opened again after a crash. */
export type UnitReference =
  /** `user`: null for the system's manager, true for that of the account that Holdfast has on the host, else the account
   *  whose own manager has the unit. */
  | { readonly kind: 'systemd'; readonly host: string; readonly unit: string; readonly user: string | true | null }
  | { readonly kind: 'container'; readonly host: string; readonly container: string }
  /** `file`: absolute path of the compose file; all containers of the project. */
  | { readonly kind: 'compose'; readonly host: string; readonly file: string };

/** For people and records: `jellyfin.service`, `container traefik`, `compose /opt/immich/compose.yaml`. */
export function unitNameOf(reference: UnitReference): string {
  if (reference.kind === 'systemd') return reference.unit;
  if (reference.kind === 'container') return `container ${reference.container}`;
  return `compose ${reference.file}`;
}
