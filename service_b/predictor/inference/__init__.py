"""What a loaded model is: from checked inputs to predictions."""
