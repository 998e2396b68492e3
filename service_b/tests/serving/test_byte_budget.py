from predictor.serving.byte_budget import ByteBudget


def test_budget_is_given_out_up_to_its_end() -> None:
    budget = ByteBudget(10)

    assert [budget.take(size) for size in (4, 7, 6, 1)] == [True, False, True, False]


def test_what_is_given_back_can_be_taken_again() -> None:
    budget = ByteBudget(10)
    budget.take(10)

    budget.give_back(3)

    assert [budget.take(size) for size in (4, 3)] == [False, True]
