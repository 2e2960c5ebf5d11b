"""Analysis: what a network looks at and knows, as pictures and as the numbers behind them."""
