/** Our own small drawings. No text inside: the words stand beside them. */

export function Logo() {
  return (
    <svg class="logo" width="32" height="32" viewBox="0 0 32 32" aria-hidden>
      <rect x="1" y="1" width="30" height="30" rx="9" fill="var(--accent)" />
      <path d="M9 10.5h10.5a2 2 0 0 1 2 2v7" fill="none" stroke="var(--on-accent)" stroke-width="2" stroke-linecap="round" />
      <rect x="9" y="14" width="9" height="8" rx="2" fill="none" stroke="var(--on-accent)" stroke-width="2" />
      <circle cx="23" cy="23" r="1.6" fill="var(--on-accent)" />
    </svg>
  );
}

/** A browser's address bar: the sign left of the address is pressed, a panel with two switches opens. */
export function PermissionDrawing({ label, microphone = true }: { label: string; microphone?: boolean }) {
  return (
    <svg class="drawing" viewBox="0 0 320 150" role="img" aria-label={label}>
      <rect x="1" y="1" width="318" height="148" rx="12" fill="var(--surface)" stroke="var(--line)" />
      <path d="M1 44V13A12 12 0 0 1 13 1h294a12 12 0 0 1 12 12v31z" fill="var(--sunken)" />
      <rect x="52" y="10" width="256" height="26" rx="13" fill="var(--surface)" stroke="var(--line)" />
      <path d="M16 23h14m-14 0 5-5m-5 5 5 5" stroke="var(--edge)" stroke-width="2" fill="none" stroke-linecap="round" />
      <circle cx="68" cy="23" r="10" fill="var(--accent-wash)" stroke="var(--accent)" stroke-width="2" />
      <path d="M63 20.5h6m4 0h.5M63 25.5h.5m4 0h6" stroke="var(--accent)" stroke-width="1.75" stroke-linecap="round" />
      <circle cx="71" cy="20.5" r="1.8" fill="none" stroke="var(--accent)" stroke-width="1.5" />
      <circle cx="65.5" cy="25.5" r="1.8" fill="none" stroke="var(--accent)" stroke-width="1.5" />
      <rect x="88" y="20" width="120" height="6" rx="3" fill="var(--edge)" opacity="0.45" />
      <rect x="52" y="50" width="176" height="88" rx="10" fill="var(--surface)" stroke="var(--edge)" />
      <path d="M68 44l7 7H61z" fill="var(--surface)" stroke="var(--edge)" />
      <g fill="none" stroke="var(--ink)" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">
        <rect x="66" y="66" width="13" height="11" rx="2.5" />
        <path d="m79 70 6-3v9l-6-3z" />
        {microphone && <path d="M71 102.5a3.5 3.5 0 0 1 7 0v5a3.5 3.5 0 0 1-7 0zM68 106a6.5 6.5 0 0 0 13 0m-6.5 6.5v4" />}
      </g>
      <rect x="96" y="69" width="70" height="6" rx="3" fill="var(--edge)" opacity="0.45" />
      {microphone && <rect x="96" y="104" width="56" height="6" rx="3" fill="var(--edge)" opacity="0.45" />}
      <rect x="184" y="63" width="30" height="17" rx="8.5" fill="var(--accent)" />
      <circle cx="205" cy="71.5" r="6" fill="var(--on-accent)" />
      {microphone && (
        <>
          <rect x="184" y="98" width="30" height="17" rx="8.5" fill="var(--accent)" />
          <circle cx="205" cy="106.5" r="6" fill="var(--on-accent)" />
        </>
      )}
      <path d="m240 118 14 9-6 2.5 4 7-4 2-4-7-4 4z" fill="var(--ink)" />
    </svg>
  );
}
