// Sets the colours before anything is painted: the reader's choice, else the system's.
(() => {
  const KEY = "clm-theme";
  const root = document.documentElement;
  const read = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = read();
    const dark = chosen ? chosen === "dark" : system.matches;
    root.dataset.theme = dark ? "dark" : "light";
    document.dispatchEvent(new Event("clm:theme"));
  };
  apply();
  system.addEventListener("change", apply);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-theme-switch]");
    if (!button) return;
    try {
      localStorage.setItem(KEY, root.dataset.theme === "dark" ? "light" : "dark");
    } catch {
      // Storage is off: the choice lasts for this page.
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
      document.dispatchEvent(new Event("clm:theme"));
      return;
    }
    apply();
  });
})();
