// Parsed by whatever Node there is, before anything else: no syntax newer than ES2015 in here, and no imports.

/**
 * Says that this version of Node is too old, as lines for stderr. Undefined where it is not. The same versions as in the
 * `engines` of package.json: 21 ended before it had what 20.19 has.
 *
 * @param {string} version
 */
export function refusalOfNode(version) {
  const parts = version.split('.').map(Number);
  const isNewEnough = parts[0] >= 22 || (parts[0] === 20 && parts[1] >= 19);
  if (isNewEnough) return undefined;
  return [
    `error: tunnel needs Node 20.19, or 22 and later; this is Node ${version}`,
    'hint: install the newest LTS version: https://nodejs.org/en/download, or with nvm: nvm install --lts',
  ];
}
