"""The classes of CamVid as released networks have them, in the order of the labels."""

CLASSES = (
    "Sky",
    "Building",
    "Pole",
    "Road",
    "Pavement",
    "Tree",
    "SignSymbol",
    "Fence",
    "Car",
    "Pedestrian",
    "Bicyclist",
)

#: The same, and everything else as one class more.
WITH_VOID = (*CLASSES, "Unlabelled")
