// Every version of Node must be able to parse this, however old: nothing newer than ES2015, and no imports.

/**
 * Why this version of Node is unsuitable, as lines for stderr; undefined if it is fine. Keep it in step with `engines`
 * in package.json. 21 is excluded: its early releases lack exports that 20.19 has, and it is past its end of life.
 *
 * @param {string} version
 */
export function refusalOfNode(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNewEnough = major >= 22 || (major === 20 && minor >= 19);
  if (isNewEnough) return undefined;
  return [
    `error: tunnel needs Node 20.19, or 22 and later; this is Node ${version}`,
    'hint: install the newest LTS version: https://nodejs.org/en/download, or with nvm: nvm install --lts',
  ];
}
