"""Parts of this package that must see records as they are, such as those that add ids."""


class Trusted:
    """Mixed into a processor that changes records and hands none of them on."""
