"""What each field of a protocol does to a number."""

from __future__ import annotations

from collections.abc import Mapping

#: What a reader should know before comparing two numbers that differ in this field.
EFFECTS: Mapping[str, str] = {
    "resize_short": "Objects the network saw at one size in training come at another. Segmenter's "
    "640 model sees ADE20K at short side 640 with `--im-size 640` and at 512, blurred up to 640, "
    "without; which of the two gave the printed 51.8 is not documented.",
    "resize_long": "mmseg caps Pascal Context at 520 and Segmenter at 4160, so that mmseg's "
    "images have a long side of 520 where Segmenter's have a short side of 520.",
    "resize_multiple": "Shows the network a slightly stretched image that fits its strides. mmseg "
    "prints 37.41 for its SegFormer-B0 on ADE20K without and 38.10 with multiples of 32, the same "
    "weights (B2: 45.58 and 46.53, B5: 49.62 and 50.58).",
    "window": "A window shows the network the size it was trained with and hides what lies "
    "farther away. Two windows of 768 and one image of 1536x768 are different measurements.",
    "stride": "A smaller stride averages more windows. Segmenter's evaluation command takes "
    "window - 32, its config says 512, 320 and 512. On ADE20K at short side 512, 480 and 512 "
    "place the same windows until the long side exceeds 992; on Cityscapes 736 places six windows "
    "and 512 eight. No pair of numbers that differ in this alone is printed.",
    "enlarge": "With it Segmenter's views 0.5 and 0.75 of ADE20K are blurred copies of the full "
    "size; without it (mmseg) they are small images with resized positions. It changes "
    "multi-scale numbers most, and single-scale ones where images are smaller than the window.",
    "scales": "Between half a point and a little over two in the papers listed here. SegFormer's "
    "B0 goes from 37.4 to 38.0 on ADE20K with 5 scales and flip; mmseg takes 6 other scales. A "
    "table that mixes single-scale and multi-scale rows (SegFormer, Table 2) compares nothing.",
    "flip": "Part of every published multi-scale number, and never printed alone.",
    "resize_fixed": "The aspect ratio is lost: a photo of 683x512 is squeezed by a quarter. The "
    "default of the Hugging Face port, and no paper's protocol: a number measured with it is no "
    "check of a published one.",
    "resize_library": "OpenCV's bilinear resize does not antialias; Pillow's and torchvision's do. "
    "At factor 0.75 half of all values of CamVid's frames differ, by up to 51 grey levels; a "
    "U-Net at half their size lost 3.3 points ([docs/pixels.md](pixels.md)). The papers' code is "
    "OpenCV throughout.",
    "normalize": "Nothing that can be seen: the last bits of the network's input, in the seventh "
    "digit. [docs/pixels.md](pixels.md) has the labels that change.",
    "statistics_order": "Nothing in a printed number: it is there to be measured. Means of colours "
    "differ little, and yet CGNet on CamVid, which was trained with the order exchanged, loses "
    "12.9 points (65.5 to 52.7) when it is put right.",
    "pad_multiple": "Keeps the aspect ratio where `resize_multiple` gives it up, and shows the "
    "network a border it never saw.",
    "upsample_once": "Borders between classes move a little, because two bilinear steps smooth "
    "more than one. No pair of numbers is printed.",
    "average": "With logits a single very sure view can outvote all others. All papers and ports "
    "here average probabilities; `shapes-ms-logits` is there to measure the difference.",
    "argmax_at": "Labels enlarged by nearest neighbour have edges in steps, and what is thinner "
    "than a step is lost. A number judged at the smaller size, without enlarging, is another one.",
    "whole_image": "A number of another crop or filter is another one; the middle 224 of 256 "
    "leaves out a sixteenth of the short side at either end. For ImageNet's top-1 alone.",
    "labels_resized": "Bilinearly resized, borders between two classes get labels of classes that "
    "lie between their numbers and are not there, which nobody can predict. ENet's first upload on "
    "CamVid val: 58.1 so, squashed to 512x512 and with void as a class; 60.4 under the usual "
    "protocol. For numbers that were measured so, and no others.",
    "labels_resized_by": "Bilinear numbers of classes invent classes along every border. With "
    "`nearest` thin things lose pixels, and each image counts the same whatever its size was; a "
    "number compared at 256x256 is not one at the images' own size. No pair of numbers is printed.",
    "precision": "Changed 1 to 6 % of the labels of networks with random weights; trained weights "
    "leave fewer pixels nearly tied. `-compiled` adds up in another order. Such evidence has a key "
    "of its own and carries its measured difference from fp32; while there is evidence in fp32, no "
    "claim is judged by it.",
    "void": "With `error` every void pixel is a false positive, so the number is lower. ESPNet on "
    "CamVid, the same counts: 55.65 with `error`, which is what its authors print (55.64), and "
    "57.17 with `ignore`, the usual convention. `class` takes a network with an output for "
    "void, and averages one class more.",
    "images_drawn": "A number of one draw is luck by as much as the page of its row says. A best "
    "epoch chosen by such numbers is the luckiest of them.",
    "ignore_classes": "Pascal Context is printed with 60 classes (Segmenter, DEPICT, SETR) and "
    "with 59, background left out; the latter is usually higher. The two are different metrics.",
}
