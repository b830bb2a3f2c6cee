"""Line drawings, 24 by 24, and the four customers, who are drawn too. Markup of ours, put into pages as it is."""

ICONS = {
    "bank": '<path d="M4 9.5 12 4l8 5.5M5 9.5h14M6.5 9.5V17M10.2 9.5V17M13.8 9.5V17M17.5 9.5V17M4.5 20h15M5.5 17h13"/>',
    "password": '<rect x="3" y="6" width="18" height="12" rx="2.5"/><path d="M7.5 10.2v3.6M5.9 11.1l3.2 1.8M9.1 11.1l-3.2 1.8M13 10.2v3.6M11.4 11.1l3.2 1.8M14.6 11.1l-3.2 1.8M17 14h1.6"/>',
    "loss": '<rect x="3" y="6" width="18" height="12" rx="2.5"/><path d="M3 10h18M13.5 12.8l3.6 3.4M17.1 12.8l-3.6 3.4"/>',
    "phone": '<rect x="7" y="3" width="10" height="18" rx="2.5"/><path d="M10.6 18h2.8M10 7.5h4M12.4 5.9 14 7.5l-1.6 1.6"/>',
    "ushield": '<path d="M12 3.2 5.5 5.6v5.3c0 4.2 2.7 7.7 6.5 9.2 3.8-1.5 6.5-5 6.5-9.2V5.6zM9.4 11.6l2 2 3.4-3.7"/>',
    "camera": '<path d="M4 8.5h3l1.6-2.3h6.8L17 8.5h3a1 1 0 0 1 1 1V18a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9.5a1 1 0 0 1 1-1z"/><circle cx="12" cy="13.4" r="3.4"/>',
    "face": '<path d="M4 8V5.5A1.5 1.5 0 0 1 5.5 4H8M16 4h2.5A1.5 1.5 0 0 1 20 5.5V8M20 16v2.5a1.5 1.5 0 0 1-1.5 1.5H16M8 20H5.5A1.5 1.5 0 0 1 4 18.5V16M9.3 9.8v.6M14.7 9.8v.6M12 10v3.2h-.9M9 15.4c1.7 1.4 4.3 1.4 6 0"/>',
    "history": '<path d="M4.2 12a7.8 7.8 0 1 0 2.4-5.6L4 8.8M4 4.4v4.4h4.4M12 7.8v4.6l3 1.8"/>',
    "out": '<path d="M10 4.5H6A1.5 1.5 0 0 0 4.5 6v12A1.5 1.5 0 0 0 6 19.5h4M14.5 8l4 4-4 4M18 12H9.5"/>',
    "language": '<path d="M3.5 6h8.6M7.8 4v2M10.4 6c-.6 3-2.9 5.6-6.2 7M5.6 8.6c1.1 2 2.9 3.6 5 4.4M12 20l4-9.5L20 20M13.4 17h5.2"/>',
    "good": '<circle cx="12" cy="12" r="8.6"/><path d="m8.2 12.3 2.7 2.7 5-5.6"/>',
    "bad": '<circle cx="12" cy="12" r="8.6"/><path d="m9 9 6 6M15 9l-6 6"/>',
    "wait": '<circle cx="12" cy="12" r="8.6"/><path d="M12 7.4V12l3 2"/>',
    "person": '<circle cx="12" cy="8.3" r="3.6"/><path d="M4.8 19.6c.9-3.6 3.7-5.4 7.2-5.4s6.3 1.8 7.2 5.4"/>',
    "transfer": '<path d="M4 8.5h14.5M15 5l3.5 3.5L15 12M20 15.5H5.5M9 12l-3.5 3.5L9 19"/>',
    "on": '<path d="m9.5 6 6 6-6 6"/>',
    "info": '<circle cx="12" cy="12" r="8.6"/><path d="M12 11.2v5M12 7.8v.3"/>',
}


def portrait(customer: str) -> str:
    """A drawn head and shoulders, 96 by 96."""
    hair, skin, coat, more = _LOOKS[customer]
    return (
        '<svg class="portrait" viewBox="0 0 96 96" aria-hidden="true" focusable="false">'
        '<circle cx="48" cy="48" r="48" class="portrait-ground"/>'
        f'<path d="M12 96c3-21 17-30 36-30s33 9 36 30z" fill="{coat}"/>'
        f'<path d="M41 58h14v11c0 4-3 7-7 7s-7-3-7-7z" fill="{skin}"/>'
        f"{more[0]}"
        f'<ellipse cx="48" cy="42" rx="17" ry="20" fill="{skin}"/>'
        f'<g fill="{hair}">{more[1]}</g>'
        '<g fill="none" stroke="#3a2a22" stroke-width="1.8" stroke-linecap="round">'
        '<path d="M40.5 42v1.6M55.5 42v1.6M42.5 52c3 2.4 8 2.4 11 0M48 44v4h-1.4"/>'
        f"{more[2]}</g></svg>"
    )


_LOOKS = {
    "li": (
        "#2b2320",
        "#f0c9a6",
        "#0e5a66",
        (
            '<path d="M27 44c-3-26 10-31 21-31s24 5 21 31c-1 10-1 18 3 24-6 3-12 2-15-1l-18 0c-3 3-9 4-15 1 4-6 4-14 3-24z" fill="#2b2320"/>',
            '<path d="M30 40c2-9 8-15 19-17 8 1 14 7 17 17 1-16-6-25-18-25S29 24 30 40z"/>',
            "",
        ),
    ),
    "wang": (
        "#cfcac4",
        "#eec6a4",
        "#7a4b5a",
        (
            '<circle cx="48" cy="17" r="8" fill="#cfcac4"/>',
            '<path d="M29 42c-2-18 7-26 19-26s21 8 19 26c-2-8-6-13-9-15-6 3-14 3-20 0-3 2-7 7-9 15z"/>',
            '<circle cx="40.5" cy="43" r="6"/><circle cx="55.5" cy="43" r="6"/><path d="M46.5 43h3"/>',
        ),
    ),
    "chen": (
        "#1f1c1b",
        "#e8bd95",
        "#4a5d3a",
        ("", '<path d="M30 40c-2-16 6-25 18-25s21 8 18 25l-4-9c-3 1-5-1-7-3-4 4-13 6-20 3z"/>', ""),
    ),
    "miller": (
        "#a8662f",
        "#f5d5bd",
        "#8a4b2a",
        (
            '<path d="M28 42c-2-22 9-29 20-29s23 7 20 29c0 7 3 12 6 14-5 5-11 4-15 1H37c-4 3-10 4-15-1 3-2 6-7 6-14z" fill="#a8662f"/>',
            '<path d="M30 41c0-13 8-19 25-20 6 3 10 10 11 20 2-18-6-26-18-26S28 24 30 41z"/>',
            "",
        ),
    ),
}
