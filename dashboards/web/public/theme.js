// Runs before the first paint, so that no page flashes in the other theme.
;(() => {
  let chosen = null
  try {
    chosen = localStorage.getItem('costflame.theme')
  } catch {
    // Storage may be forbidden; the system's theme holds.
  }
  const dark = chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
})()
