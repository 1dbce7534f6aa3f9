/** Names of services, sources, hosts, repositories, plans and pools (interface, section 1). */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
